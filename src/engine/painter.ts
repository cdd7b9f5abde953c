// One run in the engine process: from its parameters through its steps to a picture that may be shown.

import { setImmediate as turn } from 'node:timers/promises';
import { UserError } from '../errors.js';
import {
  changedShare,
  encodePreview,
  encodeWithin,
  fromKept,
  infotextOf,
  type Model,
  pixelsOf,
  toKept,
} from '../pipeline/index.js';
import type { FloatTensor, RgbImage, Start, Step } from '../pipeline/types.js';
import { type Branch, packCheckpoint, unpackCheckpoint } from './checkpoint.js';
import { Outbox } from './outbox.js';
import type { AttemptResult, FromEngine } from './protocol.js';
import { checked, isWatched, veil } from './safety.js';
import type { Safety } from './settings.js';
import { checkPicture, checkStep } from './sound.js';
import type { EngineJob, RunStart } from './types.js';

/** Says something to the bot; resolves when it has left, so that no model call holds it back. */
export type Send = (message: FromEngine) => Promise<void>;

/** Runs work when the accelerator is free. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

/** One try of one run, as far as messages can touch it. */
export interface Attempt {
  readonly number: number;
  readonly abort: AbortController;
  stopping: boolean;
  /** the bot wants a picture of a step after this one */
  previewAfter: number | undefined;
}

export class Painter {
  readonly #send: Send;
  readonly #exclusive: Exclusive;

  constructor(send: Send, exclusive: Exclusive) {
    this.#send = send;
    this.#exclusive = exclusive;
  }

  /** @returns undefined when the attempt was cancelled on the way */
  async paint(
    attempt: Attempt,
    model: Model,
    job: EngineJob,
    safety: Safety,
  ): Promise<AttemptResult | undefined> {
    const { number, abort } = attempt;
    const { parameters } = job;
    await this.#send({ kind: 'started', attempt: number });
    // The event loop reads what came in: one turn may end before its poll phase, two cannot.
    await turn();
    await turn();
    const { start, branch } = beginning(job.start);
    let end: Ending | undefined;
    let encode = 0;
    for await (const step of this.#steps(attempt, model, job, start, branch)) {
      encode = model.timings.encode;
      const { index, total } = step;
      const stopped = attempt.stopping && index < total;
      end = { index, total, stopped, latents: stopped ? step.predictedOriginal : step.latents };
      if (stopped) break;
      await this.#preview(attempt, model, step, parameters, safety);
    }
    if (abort.signal.aborted) return undefined;
    if (end === undefined) throw new Error('Expected at least one step');

    const { index, total, stopped, latents } = end;
    const decodeFrom = performance.now();
    // What began as a picture may have been black from the beginning.
    const mayBeBlack = job.init !== undefined;
    const rgb = await this.#exclusive(() => model.decode(latents, mayBeBlack));
    if (!mayBeBlack) checkPicture(rgb, model.info);
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
    // What is not shown is not measured either.
    const changed = shown.flagged ? undefined : await changedFrom(job.original, rgb);
    const [decode, file] = [fileFrom - decodeFrom, performance.now() - fileFrom];
    return {
      image,
      index,
      total,
      stopped,
      flagged: shown.flagged,
      infotext,
      ...(changed !== undefined && { changed }),
      timings: { encode, decode, file, graphs: model.timings.graphs },
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
    const outbox = new Outbox((steps) =>
      this.#send({ kind: 'progress', attempt: attempt.number, steps }),
    );
    let calls = 0;
    try {
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
        const report = { ...toKept(step), milliseconds };
        outbox.add({ report, unet: unet.slice(calls) }, () =>
          packCheckpoint({ branch, state: step.checkpoint() }),
        );
        calls = unet.length;
        await turn(); // the second one: the denoising loop's own came before the step
        if (outbox.due || attempt.previewAfter !== undefined) await outbox.flush();
        if (!signal.aborted) yield step;
      }
    } finally {
      await outbox.flush(); // whatever comes next, the steps before it are told first
    }
  }

  /** Only when it was asked for; never after the last step: the picture itself is next then. */
  async #preview(
    attempt: Attempt,
    model: Model,
    step: Step,
    { width, height }: EngineJob['parameters'],
    safety: Safety,
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
    const watched = await isWatched(model, safety);
    const image = await encodePreview(watched ? await veil(rgb) : rgb, width, height);
    const preview = { ...image, index, total };
    await this.#send({ kind: 'preview', attempt: attempt.number, preview });
  }
}

async function changedFrom(
  original: Uint8Array | undefined,
  picture: RgbImage,
): Promise<number | undefined> {
  const before = original && (await pixelsOf(original));
  return before && changedShare(before, picture);
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
