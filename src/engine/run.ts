// One run as the parent side sees it, over all the processes that carry it: what it has reached, who
// waits for its previews, and its one end.

import { type Deferred, deferred } from './deferred.js';
import type { EngineProcess } from './process.js';
import type { AttemptResult, FromEngine, ModelRef, SentStep } from './protocol.js';
import type { EngineJob, Preview, RunHandlers, RunResult, RunStart } from './types.js';

/** What an engine process says about a try. */
export type RunMessage = Extract<
  FromEngine,
  { readonly kind: 'started' | 'progress' | 'preview' | 'done' | 'failed' }
>;

export class ActiveRun {
  readonly job: EngineJob;
  readonly handlers: RunHandlers;
  readonly result: Deferred<RunResult> = deferred();
  /** where its model lies; undefined until that is known */
  model: ModelRef | undefined;
  /** the try in progress; undefined while no process has it */
  attempt: number | undefined;
  /** the process said that it took this try up: from here on a death counts against the run */
  taken = false;
  deaths = 0;
  /** the newest checkpoint and the step it stands after */
  checkpoint: { readonly bytes: Uint8Array; readonly index: number } | undefined;
  stopping = false;
  /** step of the newest preview handed out */
  #previewed = 0;
  #preview: Deferred<Preview | undefined> | undefined;
  /** when `run` was called, and when an engine took it up first (performance.now, ms) */
  readonly #askedAt = performance.now();
  #startedAt: number | undefined;
  /** ms of the bare UNet calls by step index */
  readonly #unet = new Map<number, readonly number[]>();
  #settled = false;

  constructor(job: EngineJob, handlers: RunHandlers) {
    this.job = job;
    this.handlers = handlers;
  }

  /** Hands the run to a process, with what was asked for so far. */
  begin(process: EngineProcess, attempt: number, model: ModelRef): void {
    this.attempt = attempt;
    this.taken = false;
    const { width, height } = this.job.parameters;
    process.watchdog.runBegins(width * height);
    const job = { ...this.job, start: this.#start() };
    process.send({ kind: 'generate', attempt, job, model });
    if (this.stopping) process.send({ kind: 'stop', attempt });
    this.askPreview(process);
  }

  /** Where the next try begins: after the last step whose state got here. */
  #start(): RunStart {
    return this.checkpoint === undefined
      ? this.job.start
      : { kind: 'resume', checkpoint: this.checkpoint.bytes };
  }

  nextPreview(process: EngineProcess | undefined): Promise<Preview | undefined> {
    if (this.#settled) return Promise.resolve(undefined);
    if (this.#preview !== undefined) {
      return Promise.reject(new Error(`Expected one preview request at a time for ${this.job.id}`));
    }
    this.#preview = deferred();
    this.askPreview(process);
    return this.#preview.promise;
  }

  askPreview(process: EngineProcess | undefined): void {
    if (this.#preview === undefined || this.attempt === undefined) return;
    process?.send({ kind: 'preview', attempt: this.attempt, after: this.#previewed });
  }

  started(): void {
    this.taken = true;
    this.#startedAt ??= performance.now();
  }

  progressed({ report, unet }: SentStep): void {
    const { index, checkpoint } = report;
    if (unet.length > 0) this.#unet.set(index, unet);
    // A copy: the owner may hand the report's own bytes to another thread, and the original is a
    // view that would keep the whole message alive.
    if (checkpoint !== undefined) this.checkpoint = { bytes: checkpoint.slice(), index };
  }

  previewed(preview: Preview): void {
    this.#previewed = preview.index;
    const waiting = this.#preview;
    this.#preview = undefined;
    waiting?.resolve(preview);
  }

  /**
   * The process is gone and the run waits for the next one.
   * @returns the step it will go on from
   */
  orphaned(): number {
    this.attempt = undefined;
    const from = this.checkpoint?.index ?? 0;
    this.#previewed = Math.min(this.#previewed, from);
    return from;
  }

  /** Its one end: the previews end first, then the owner is told. */
  settle(tell: (result: Deferred<RunResult>) => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#preview?.resolve(undefined);
    this.#preview = undefined;
    this.checkpoint = undefined;
    tell(this.result);
  }

  withTimes(result: AttemptResult): RunResult {
    const now = performance.now();
    return {
      ...result,
      timings: {
        ...result.timings,
        load: (this.#startedAt ?? now) - this.#askedAt,
        unet: [...this.#unet.values()].flat(),
        steps: this.#unet.size,
        total: now - this.#askedAt,
      },
    };
  }
}
