// The engine's inside: gives the accelerator to one piece of work at a time, runs and requests alike.

import {
  AcceleratorLost,
  type Draw,
  encodeWithin,
  evolution,
  keptTensor,
  kindOf,
  type Model,
  sideBySide,
  type Turn,
} from '../pipeline/index.js';
import type { EncodedImage } from '../pipeline/types.js';
import { type Decoded, decodedFrames, drawWith, quickDraw } from './draw.js';
import { LoadedModels, WornOut } from './loaded.js';
import { type Attempt, Painter, type Send } from './painter.js';
import {
  type EngineRequest,
  type FromEngine,
  type ModelRef,
  type ToEngine,
  toWire,
} from './protocol.js';

export class Host {
  readonly #send: Send;
  readonly #lost: (error: AcceleratorLost) => void;
  readonly #painter: Painter;
  #models: LoadedModels | undefined;
  /** tries that were announced and have not ended */
  readonly #attempts = new Map<number, Attempt>();
  /** ends when the work on the accelerator that was asked for so far has ended */
  #lane: Promise<unknown> = Promise.resolve();
  /** ends when the runs that were asked for so far have ended */
  #runs: Promise<unknown> = Promise.resolve();
  /** ends when the evolutions that were asked for so far are encoded */
  #evolutions: Promise<unknown> = Promise.resolve();

  /** @param lost called when no model call can succeed in this process any more */
  constructor(send: Send, lost: (error: AcceleratorLost) => void = () => {}) {
    this.#send = send;
    this.#lost = lost;
    this.#painter = new Painter(send, (work) => this.#exclusive(work));
  }

  receive(message: ToEngine): void {
    switch (message.kind) {
      case 'open':
        this.#models = new LoadedModels(message.options, this.#send);
        void this.#send({ kind: 'opened' });
        return;
      case 'load':
        // Whether it succeeded is told on the way; a run that needs it will be told again.
        void this.#exclusive(() => this.#borrow(message.model)).catch(() => {});
        return;
      case 'generate': {
        const attempt: Attempt = {
          number: message.attempt,
          abort: new AbortController(),
          stopping: false,
          previewAfter: undefined,
        };
        this.#attempts.set(attempt.number, attempt);
        this.#runs = this.#runs.then(() => this.#generate(attempt, message));
        return;
      }
      case 'preview': {
        const attempt = this.#attempts.get(message.attempt);
        if (attempt !== undefined) attempt.previewAfter = message.after;
        return;
      }
      case 'stop': {
        const attempt = this.#attempts.get(message.attempt);
        if (attempt !== undefined) attempt.stopping = true;
        return;
      }
      case 'cancel':
        this.#attempts.get(message.attempt)?.abort.abort();
        return;
      case 'request':
        void this.#answer(message.id, message.request);
        return;
      case 'ping':
        void this.#send({ kind: 'pong' });
        return;
    }
  }

  /** Ends what runs after its current model call, then frees the models. */
  async close(): Promise<void> {
    for (const { abort } of this.#attempts.values()) abort.abort();
    await this.#runs;
    await this.#lane;
    await this.#models?.dispose();
  }

  /** The accelerator is one: `work` waits for all that was asked for before it. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lane.then(work);
    this.#lane = result.catch(async (error: unknown) => {
      if (error instanceof AcceleratorLost) this.#lost(error);
      if (error instanceof WornOut) await this.#retire(error.crowded);
    });
    return result;
  }

  /** Nothing more is done in this process: the next one gets what was asked for. */
  async #retire(crowded: boolean): Promise<never> {
    await this.#send({ kind: 'worn', bytes: process.memoryUsage.rss(), crowded });
    return new Promise<never>(() => {});
  }

  get #loaded(): LoadedModels {
    if (this.#models === undefined) throw new Error('Expected the options first');
    return this.#models;
  }

  /** undefined when it is gone, or cannot be loaded now */
  async #borrow(ref: ModelRef | undefined): Promise<Model | undefined> {
    return ref === undefined ? undefined : this.#loaded.borrow(ref);
  }

  // --- runs ---------------------------------------------------------------------------------

  async #generate(attempt: Attempt, { job, model: ref }: Generate): Promise<void> {
    const { number, abort } = attempt;
    let end: FromEngine = { kind: 'dropped', attempt: number };
    let model: Model | undefined;
    try {
      if (!abort.signal.aborted) {
        const taken = await this.#exclusive(() => this.#loaded.take(ref));
        model = taken;
        const result = await this.#painter.paint(attempt, taken, job, this.#loaded.safety);
        if (result !== undefined) end = { kind: 'done', attempt: number, result };
      }
    } catch (error) {
      if (isForTheNext(error)) return;
      // A fresh process has all the memory for this one model, and goes on from the last step.
      if (kindOf(error) === 'memory' && this.#loaded.isCrowded) return await this.#retire(true);
      // A pipeline that throws because its signal was aborted did what it was asked to.
      if (!abort.signal.aborted) end = { kind: 'failed', attempt: number, error: toWire(error) };
    } finally {
      if (model !== undefined) this.#loaded.give(model);
      this.#attempts.delete(number);
    }
    await this.#send(end);
  }

  // --- requests -----------------------------------------------------------------------------

  async #answer(id: number, request: EngineRequest): Promise<void> {
    try {
      const value = await this.#do(request);
      await this.#send({ kind: 'reply', id, value });
    } catch (error) {
      if (isForTheNext(error)) return;
      await this.#send({ kind: 'refused', id, error: toWire(error) });
    }
  }

  async #do(request: EngineRequest): Promise<EncodedImage> {
    switch (request.kind) {
      case 'evolution': {
        // One after the other: between the steps of a run stands the drawing of one at most.
        return this.#inTurn(() => this.#evolution(request));
      }
      case 'beside':
        return this.#inTurn(() => sideBySide(request.pictures, request.maxBytes));
      case 'picture': {
        const { model: ref, step, show, maxBytes } = request;
        const picture = await this.#exclusive(async () => {
          const model = await this.#borrow(ref);
          const options = { kind: 'sheet', frames: 1, show } as const;
          const draw =
            model === undefined
              ? await quickDraw(ref, [step])
              : drawWith(model, await decodedFrames(model, [step], options));
          return draw(keptTensor(step, show), true);
        });
        return encodeWithin(picture, maxBytes);
      }
    }
  }

  /** Sheets and animations are made one after the other: each holds all of its frames. */
  #inTurn(work: () => Promise<EncodedImage>): Promise<EncodedImage> {
    const file = this.#evolutions.then(work);
    this.#evolutions = file.catch(() => {});
    return file;
  }

  async #evolution(request: Extract<EngineRequest, { kind: 'evolution' }>): Promise<EncodedImage> {
    const { model: ref, steps, options, maxBytes } = request;
    let decoded: Decoded | undefined;
    let draw: Draw = () => Promise.reject(new Error('Expected a turn before the first frame'));
    const turn: Turn = (work) =>
      this.#exclusive(async () => {
        // Since the last turn a run may have taken the model's place in memory.
        const model = await this.#borrow(ref);
        if (model === undefined) draw = await quickDraw(ref, steps);
        else {
          decoded ??= await decodedFrames(model, steps, options);
          draw = drawWith(model, decoded);
        }
        return work();
      });
    return evolution(steps, options, maxBytes, (latents, isLast) => draw(latents, isLast), turn);
  }
}

type Generate = Extract<ToEngine, { readonly kind: 'generate' }>;

/** After these the process ends, and what it was doing is done again by the next one. */
function isForTheNext(error: unknown): boolean {
  return error instanceof WornOut || error instanceof AcceleratorLost;
}
