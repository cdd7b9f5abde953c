// The engine's inside: carries runs through their steps, answers between them.

import { setImmediate as turn } from 'node:timers/promises';
import { UserError } from '../errors.js';
import {
  AcceleratorLost,
  type Draw,
  encodePreview,
  encodeWithin,
  evolution,
  fromKept,
  infotextOf,
  kindOf,
  type Model,
  readInfotext,
  toKept,
} from '../pipeline/index.js';
import type { FloatTensor, KeptStep, Start, Step } from '../pipeline/types.js';
import { type Branch, packCheckpoint, unpackCheckpoint } from './checkpoint.js';
import { drawFor, quickDraw } from './draw.js';
import { LoadedModels, WornOut } from './loaded.js';
import {
  type AttemptResult,
  type EngineReplies,
  type EngineRequest,
  type FromEngine,
  type ModelRef,
  type ToEngine,
  toWire,
} from './protocol.js';
import { checked, isWatched, veil } from './safety.js';
import { checkPicture, checkStep } from './sound.js';
import type { EngineJob, RunStart } from './types.js';

/** Says something to the bot; resolves when it has left, so that no model call holds it back. */
export type Send = (message: FromEngine) => Promise<void>;

/** One try of one run, as far as messages can touch it. */
interface Attempt {
  readonly number: number;
  readonly abort: AbortController;
  stopping: boolean;
  /** the bot wants a picture of a step after this one */
  previewAfter: number | undefined;
}

export class Host {
  readonly #send: Send;
  readonly #lost: (error: AcceleratorLost) => void;
  #models: LoadedModels | undefined;
  /** tries that were announced and have not ended */
  readonly #attempts = new Map<number, Attempt>();
  /** ends when the work on the accelerator that was asked for so far has ended */
  #lane: Promise<unknown> = Promise.resolve();
  /** ends when the runs that were asked for so far have ended */
  #runs: Promise<unknown> = Promise.resolve();

  /** @param lost called when no model call can succeed in this process any more */
  constructor(send: Send, lost: (error: AcceleratorLost) => void = () => {}) {
    this.#send = send;
    this.#lost = lost;
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
        const result = await this.#paint(attempt, taken, job);
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

  /** @returns undefined when the attempt was cancelled on the way */
  async #paint(attempt: Attempt, model: Model, job: EngineJob): Promise<AttemptResult | undefined> {
    const { number, abort } = attempt;
    const { parameters } = job;
    await this.#send({ kind: 'started', attempt: number });
    await listen();
    const { start, branch } = beginning(job.start);
    let end: Ending | undefined;
    let encode = 0;
    for await (const step of this.#steps(attempt, model, job, start, branch)) {
      encode = model.timings.encode;
      const { index, total } = step;
      const stopped = attempt.stopping && index < total;
      end = { index, total, stopped, latents: stopped ? step.predictedOriginal : step.latents };
      if (stopped) break;
      await this.#preview(attempt, model, step, parameters);
    }
    if (abort.signal.aborted) return undefined;
    if (end === undefined) throw new Error('Expected at least one step');

    const { index, total, stopped, latents } = end;
    const decodeFrom = performance.now();
    // What began as a picture may have been black from the beginning.
    const mayBeBlack = job.init !== undefined;
    const rgb = await this.#exclusive(() => model.decode(latents, mayBeBlack));
    if (!mayBeBlack) checkPicture(rgb, model.info);
    const { safety } = this.#loaded;
    const shown = await this.#exclusive(() => checked(model, rgb, safety));
    const fileFrom = performance.now();
    const identity = { ...model.info, hash: await model.hash() };
    const infotext = infotextOf(parameters, identity, {
      ...(branch !== undefined && { branch }),
      ...(stopped && { stoppedAt: index }),
      ...(job.init?.mask !== undefined && { masked: true }),
      ...(shown.flagged && { flagged: true }),
    });
    const image = await encodeWithin(shown.image, job.maxBytes, infotext);
    const [decode, file] = [fileFrom - decodeFrom, performance.now() - fileFrom];
    return {
      image,
      index,
      total,
      stopped,
      flagged: shown.flagged,
      infotext,
      timings: { encode, decode, file },
    };
  }

  /** The steps of an attempt, each told to the bot; ends early when the attempt is cancelled. */
  async *#steps(
    attempt: Attempt,
    model: Model,
    { parameters, init }: EngineJob,
    start: Start | undefined,
    branch: Branch | undefined,
  ): AsyncGenerator<Step, void> {
    const { signal } = attempt.abort;
    const options = {
      signal,
      ...(start !== undefined && { start }),
      ...(init !== undefined && { init }),
    };
    const steps = model.generate(parameters, options);
    let calls = 0;
    while (!signal.aborted) {
      let from = 0;
      const next = await this.#exclusive(() => {
        from = performance.now();
        return steps.next();
      });
      if (next.done === true) return;
      const step = next.value;
      checkStep(step, model.info);
      const { encode, unet } = model.timings;
      // The prompt is encoded on the way to the first step.
      const milliseconds = performance.now() - from - (calls === 0 ? encode : 0);
      const { index, total, timestep } = step;
      await this.#send({
        kind: 'progress',
        attempt: attempt.number,
        report: {
          index,
          total,
          timestep,
          milliseconds,
          kept: toKept(step),
          checkpoint: packCheckpoint({ branch, state: step.checkpoint() }),
        },
        unet: unet.slice(calls),
      });
      calls = unet.length;
      await listen();
      if (!signal.aborted) yield step;
    }
  }

  /** Only when it was asked for; never after the last step: the picture itself is next then. */
  async #preview(
    attempt: Attempt,
    model: Model,
    step: Step,
    { width, height }: EngineJob['parameters'],
  ): Promise<void> {
    const { index, total } = step;
    if (attempt.previewAfter === undefined || index <= attempt.previewAfter) return;
    if (index === total) return;
    attempt.previewAfter = undefined;
    const drawn = this.#exclusive(() => model.preview(step.predictedOriginal));
    const rgb = await drawn.catch((error: unknown) => {
      // What cannot be drawn now may end as a picture all the same.
      if (error instanceof UserError) return undefined;
      throw error;
    });
    if (rgb === undefined) return;
    const watched = await isWatched(model, this.#loaded.safety);
    const image = await encodePreview(watched ? await veil(rgb) : rgb, width, height);
    const preview = { ...image, index, total };
    await this.#send({ kind: 'preview', attempt: attempt.number, preview });
  }

  // --- requests -----------------------------------------------------------------------------

  async #answer(id: number, request: EngineRequest): Promise<void> {
    try {
      const value = await this.#exclusive(() => this.#do(request));
      await this.#send({ kind: 'reply', id, value });
    } catch (error) {
      if (isForTheNext(error)) return;
      await this.#send({ kind: 'refused', id, error: toWire(error) });
    }
  }

  async #do(request: EngineRequest): Promise<EngineReplies[EngineRequest['kind']]> {
    switch (request.kind) {
      case 'evolution': {
        const { steps, options, maxBytes } = request;
        const draw = await this.#draw(request.model, steps, options);
        return evolution(steps, options, maxBytes, draw);
      }
      case 'picture': {
        const { step, show, maxBytes } = request;
        const options = { kind: 'sheet', frames: 1, show } as const;
        const draw = await this.#draw(request.model, [step], options);
        const { latents, predictedOriginal } = fromKept(step);
        const shown = show === 'prediction' ? predictedOriginal : latents;
        return encodeWithin(await draw(shown), maxBytes);
      }
      case 'infotext':
        return readInfotext(request.png);
    }
  }

  async #draw(
    ref: ModelRef | undefined,
    steps: readonly KeptStep[],
    options: Parameters<typeof drawFor>[2],
  ): Promise<Draw> {
    // A plot of changes needs no pictures.
    const model = options.kind === 'changes' ? undefined : await this.#borrow(ref);
    if (model !== undefined) return drawFor(model, steps, options);
    return quickDraw(ref, steps);
  }
}

type Generate = Extract<ToEngine, { readonly kind: 'generate' }>;

/** After these the process ends, and what it was doing is done again by the next one. */
function isForTheNext(error: unknown): boolean {
  return error instanceof WornOut || error instanceof AcceleratorLost;
}

/** Lets the event loop read what came in: one turn may end before its poll phase, two cannot. */
async function listen(): Promise<void> {
  await turn();
  await turn();
}

interface Ending {
  readonly index: number;
  readonly total: number;
  readonly stopped: boolean;
  /** what the picture is made of, [1, C, h, w] */
  readonly latents: FloatTensor;
}

interface Beginning {
  readonly start?: Start;
  readonly branch?: Branch;
}

function beginning(start: RunStart): Beginning {
  switch (start.kind) {
    case 'noise':
      return {};
    case 'branch': {
      const { step, seed } = start;
      const { predictedOriginal } = fromKept(step);
      return {
        start: { kind: 'branch', fromStep: step.index, predictedOriginal, seed },
        branch: { fromStep: step.index, seed },
      };
    }
    case 'resume': {
      const { branch, state } = unpackCheckpoint(start.checkpoint);
      return {
        start: { kind: 'resume', checkpoint: state },
        ...(branch !== undefined && { branch }),
      };
    }
  }
}
