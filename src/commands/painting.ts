// A job's time with an engine: from what the store holds of it to a picture that the store holds.

import type { Logger } from 'pino';
import type { EngineJob, RunStart } from '../engine/types.js';
import { UserError } from '../errors.js';
import type { Queue, QueueEntry } from '../queue/types.js';
import type { Store, StoredFile } from '../store/types.js';
import type { EnginePool } from './engines.js';
import type { Promised } from './facts.js';
import type { Insistence } from './insistence.js';
import type { Job } from './job.js';
import { ownerOfStep } from './lineage.js';
import { largestFile } from './upload.js';

/** What came of a job: in the store, and not yet told. */
export interface Painted {
  readonly file: StoredFile;
  readonly stopped: { readonly index: number; readonly total: number } | undefined;
  /** steps of the whole run */
  readonly total: number;
  /** blurred, for the model's safety checker found something in it */
  readonly flagged: boolean;
  /** of a branch: the share of pixels, 0 to 1, that look different from the picture it branched from */
  readonly changed: number | undefined;
}

export function isPainted(outcome: unknown): outcome is Painted {
  return (
    typeof outcome === 'object' && outcome !== null && 'file' in outcome && 'stopped' in outcome
  );
}

export interface PainterOptions {
  readonly store: Store;
  readonly queue: Queue;
  readonly engines: EnginePool;
  readonly logger: Logger;
  /** told what broke beside the picture: a step that could not be kept */
  readonly bug: (error: unknown, id: string) => void;
  readonly insistence: Insistence;
}

export class Painter {
  readonly #store: Store;
  readonly #queue: Queue;
  readonly #engines: EnginePool;
  readonly #logger: Logger;
  readonly #bug: PainterOptions['bug'];
  readonly #insistence: Insistence;

  constructor({ store, queue, engines, logger, bug, insistence }: PainterOptions) {
    this.#store = store;
    this.#queue = queue;
    this.#engines = engines;
    this.#logger = logger;
    this.#bug = bug;
    this.#insistence = insistence;
  }

  /**
   * The task that holds an engine. What it resolves with is in the store, unless that cannot be
   * written: then the picture still reaches its owner, and the next start paints and shows it again.
   */
  async paint(job: Job, signal: AbortSignal): Promise<Painted> {
    const { id, parameters, reply } = job.generation;
    const engine = this.#engines.take(parameters.model);
    try {
      const startedAt = Date.now();
      await this.#store.start(id, startedAt).catch((error: unknown) => this.#bug(error, id));
      const start = await this.#startOf(job.generation);
      const original = await this.#originalOf(job.generation);
      const init = job.generation.hasInit ? await this.#store.init(id) : undefined;
      const task: EngineJob = {
        id,
        parameters,
        start,
        ...(init === undefined ? {} : { init }),
        ...(original === undefined ? {} : { original }),
        maxBytes: largestFile(reply.attachmentLimit),
      };
      signal.throwIfAborted();
      let kept: Promise<unknown> = Promise.resolve();
      /** a disk that is full is so for every step: once is enough for the log */
      let told = false;
      const run = engine.run(task, {
        onStep: (report) => {
          job.stepped(report);
          const write = this.#store.keepStep(id, report, report.checkpoint);
          kept = write.catch((error: unknown) => {
            if (!told) this.#bug(error, id);
            told = true;
          });
        },
        onRetry: (fromStep) =>
          this.#logger.warn({ id, fromStep }, 'the engine died; the run is tried once more'),
      });
      const abort = () => run.cancel();
      signal.addEventListener('abort', abort, { once: true });
      job.begin(run);
      try {
        const result = await run.result.catch((error: unknown) => {
          signal.throwIfAborted(); // whoever gave it up says why; the run knows only that it ended
          throw error;
        });
        const endedAt = Date.now();
        await kept;
        const { image, infotext, stopped, flagged, changed, index, total } = result;
        const file: StoredFile = {
          bytes: image.bytes,
          type: image.type,
          width: image.width,
          height: image.height,
        };
        const state = stopped ? 'stopped' : 'done';
        await this.#insistence.write(id, () =>
          this.#store.finish(id, { state, file, infotext, flagged, changed }, endedAt),
        );
        const { work, model } = entryOf(job.generation);
        const done = work * (result.timings.steps / total);
        // Without the loading of the model: the next picture does not wait for it.
        this.#queue.measured(done, result.timings.total - result.timings.load, model);
        this.#logger.info({ id, steps: index, ms: endedAt - startedAt }, 'painted');
        const end = stopped ? { index, total } : undefined;
        return { file, stopped: end, total, flagged, changed };
      } finally {
        signal.removeEventListener('abort', abort);
        await kept;
      }
    } finally {
      job.end();
      this.#engines.give(engine);
    }
  }

  /** The picture that a branch is compared with; nothing is said of one that nobody is shown. */
  async #originalOf({ parentId, branchStep }: Promised): Promise<Uint8Array | undefined> {
    if (parentId === null || branchStep === null) return undefined;
    const parent = await this.#store.get(parentId);
    if (parent === undefined || parent.flagged) return undefined;
    return (await this.#store.file(parentId))?.bytes;
  }

  async #startOf(generation: Promised): Promise<RunStart> {
    const checkpoint = await this.#store.checkpoint(generation.id);
    if (checkpoint !== undefined) return { kind: 'resume', checkpoint };
    const { parentId, branchStep, branchSeed } = generation;
    if (parentId === null || branchStep === null || branchSeed === null) return { kind: 'noise' };
    const owner = await ownerOfStep(this.#store, generation, branchStep);
    const step = owner && (await this.#store.step(owner.id, branchStep));
    if (step === undefined) throw stepsGone();
    return { kind: 'branch', step, seed: branchSeed };
  }
}

export function stepsGone(): UserError {
  return new UserError('steps-gone', 'The steps of this picture are no longer kept.');
}

/** What a picture weighs: steps times pixels over 256x256. */
export function entryOf(generation: Promised): QueueEntry & { readonly model: string } {
  const { width, height, strength = 1 } = generation.parameters;
  // With an init image only that part of the steps is done.
  const steps = Math.max(1, Math.floor(generation.parameters.steps * strength));
  return {
    id: generation.id,
    userId: generation.userId,
    work: (steps * width * height) / (256 * 256),
    model: generation.model,
  };
}
