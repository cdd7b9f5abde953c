// The parent side of an engine: keeps one engine process alive, gives it one run at a time, and
// brings a run that lost its process to its end or to one clear error.

import type { Logger } from 'pino';
import { UserError } from '../errors.js';
import type { EncodedImage, ModelInfo } from '../pipeline/types.js';
import { EngineProcess, type ProcessEnd } from './process.js';
import {
  type AttemptResult,
  type EngineReplies,
  type EngineRequest,
  type FromEngine,
  fromWire,
} from './protocol.js';
import {
  type Engine,
  EngineDied,
  type EngineJob,
  type EngineRun,
  type Preview,
  RunCancelled,
  type RunHandlers,
  type RunResult,
  type RunStart,
} from './types.js';

export interface EngineSettings {
  /** a diffusers ONNX directory */
  readonly modelDirectory: string;
  /** such as 'cuda' and 'cpu', tried in this order */
  readonly providers: readonly string[];
  /** CPU threads of a model call; absent: probed or left to onnxruntime */
  readonly threads?: number;
  readonly logger?: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /**
   * ms that the process may keep silent before it is killed, 120 000 unless given. Calls that were
   * seen to take long extend it: it is a lower bound. The first run may be silent five times as long.
   */
  readonly stallMs?: number;
  /** ms that loading a model may take, 600 000 unless given */
  readonly loadMs?: number;
  /** ms before the first restart, doubled with each further death, 100 unless given */
  readonly backOffMs?: number;
}

const MAX_BACK_OFF_MS = 30_000;
/** A process that lived this long (ms) without harm starts the back-off anew. */
const SOUND_AFTER_MS = 60_000;
/** Processes that died in a row before a model was loaded, after which the engine gives up. */
const MAX_LOAD_DEATHS = 4;
/** Processes that may die under one run or request. */
const MAX_DEATHS = 2;

/** An engine whose process this process started. */
export interface LocalEngine extends Engine {
  /** of the engine process; undefined between a death and the restart */
  readonly pid: number | undefined;
}

/** Starts an engine process. Never blocks: whatever fails shows in `ready` and in the runs. */
export function createEngine(settings: EngineSettings): LocalEngine {
  return new Supervisor(settings);
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise to be settled from outside; one that nobody awaits does not end the bot. */
function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** A run that has not settled. */
interface ActiveRun {
  readonly job: EngineJob;
  readonly handlers: RunHandlers;
  readonly result: Deferred<RunResult>;
  /** when `run` was called, and when the engine took it up first (performance.now, ms) */
  readonly askedAt: number;
  startedAt: number | undefined;
  /** the try in progress; undefined while no process has it */
  attempt: number | undefined;
  /** the process said that it took this try up */
  taken: boolean;
  deaths: number;
  /** the newest checkpoint and the step it stands after */
  checkpoint: { readonly bytes: Uint8Array; readonly index: number } | undefined;
  /** ms of the bare UNet calls by step index */
  readonly unet: Map<number, readonly number[]>;
  stopping: boolean;
  preview: Deferred<Preview | undefined> | undefined;
  /** step of the newest preview handed out */
  previewed: number;
}

interface OpenRequest {
  readonly request: EngineRequest;
  readonly reply: Deferred<EngineReplies[keyof EngineReplies]>;
  sent: boolean;
  deaths: number;
}

class Supervisor implements LocalEngine {
  readonly #settings: EngineSettings;
  readonly #ready = deferred<ModelInfo>();
  #info: ModelInfo | undefined;
  #process: EngineProcess | undefined;
  /** the process has a model */
  #loaded = false;
  #restart: NodeJS.Timeout | undefined;
  /** deaths in a row, for the back-off */
  #deaths = 0;
  /** of these, the ones before a model was loaded */
  #loadDeaths = 0;
  #loadedAt = 0;
  #closed: Promise<void> | undefined;
  /** resolves `close` when the process has ended */
  #onEnd: (() => void) | undefined;

  #run: ActiveRun | undefined;
  #attempts = 0;
  #requests = new Map<number, OpenRequest>();
  #requestIds = 0;

  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#start();
  }

  get ready(): Promise<ModelInfo> {
    return this.#ready.promise;
  }

  get info(): ModelInfo | undefined {
    return this.#info;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  // --- runs ---------------------------------------------------------------------------------

  run(job: EngineJob, handlers: RunHandlers = {}): EngineRun {
    if (this.#run !== undefined) {
      throw new Error(`Expected one run at a time, got ${job.id} during ${this.#run.job.id}`);
    }
    const run: ActiveRun = {
      job,
      handlers,
      result: deferred(),
      askedAt: performance.now(),
      startedAt: undefined,
      attempt: undefined,
      taken: false,
      deaths: 0,
      checkpoint: undefined,
      unet: new Map(),
      stopping: false,
      preview: undefined,
      previewed: 0,
    };
    if (this.#closed === undefined) {
      this.#run = run;
      this.#work();
    } else {
      run.result.reject(new RunCancelled(job.id));
    }
    return {
      id: job.id,
      result: run.result.promise,
      nextPreview: () => this.#nextPreview(run),
      stop: () => this.#stop(run),
      cancel: () => this.#cancel(run),
    };
  }

  #nextPreview(run: ActiveRun): Promise<Preview | undefined> {
    if (run !== this.#run) return Promise.resolve(undefined);
    if (run.preview !== undefined) {
      return Promise.reject(new Error(`Expected one preview request at a time for ${run.job.id}`));
    }
    run.preview = deferred();
    this.#askPreview(run);
    return run.preview.promise;
  }

  #askPreview(run: ActiveRun): void {
    if (run.preview === undefined || run.attempt === undefined) return;
    this.#process?.send({ kind: 'preview', attempt: run.attempt, after: run.previewed });
  }

  #stop(run: ActiveRun): void {
    if (run !== this.#run || run.stopping) return;
    run.stopping = true;
    if (run.attempt !== undefined) this.#process?.send({ kind: 'stop', attempt: run.attempt });
  }

  #cancel(run: ActiveRun): void {
    if (run !== this.#run) return;
    if (run.attempt !== undefined) this.#process?.send({ kind: 'cancel', attempt: run.attempt });
    // The caller is free at once. The next run waits in the process's pipe until the model call in
    // progress has ended, or in this object until the process was killed for its silence.
    this.#settle(run, (result) => result.reject(new RunCancelled(run.job.id)));
  }

  /** The only way out of a run: frees the slot, ends the previews, then tells the owner. */
  #settle(run: ActiveRun, tell: (result: Deferred<RunResult>) => void): void {
    if (run !== this.#run) return;
    this.#run = undefined;
    run.preview?.resolve(undefined);
    run.preview = undefined;
    run.checkpoint = undefined;
    tell(run.result);
  }

  /** Gives the process what waits for it; without a process, sees to it that one is coming. */
  #work(): void {
    if (!this.#loaded || this.#process === undefined) {
      if (this.#process === undefined && this.#restart === undefined) this.#start();
      return;
    }
    for (const [id, open] of this.#requests) {
      if (open.sent) continue;
      open.sent = true;
      this.#process.send({ kind: 'request', id, request: open.request });
    }
    const run = this.#run;
    if (run === undefined || run.attempt !== undefined) return;
    run.attempt = ++this.#attempts;
    run.taken = false;
    const { parameters } = run.job;
    this.#process.watchdog.runBegins(parameters.width * parameters.height);
    this.#process.send({
      kind: 'generate',
      attempt: run.attempt,
      job: { ...run.job, start: startOf(run) },
    });
    if (run.stopping) this.#process.send({ kind: 'stop', attempt: run.attempt });
    this.#askPreview(run);
  }

  // --- requests -----------------------------------------------------------------------------

  evolution: Engine['evolution'] = (steps, options, maxBytes) =>
    this.#request({ kind: 'evolution', steps, options, maxBytes }) as Promise<EncodedImage>;

  picture: Engine['picture'] = (step, show, maxBytes) =>
    this.#request({ kind: 'picture', step, show, maxBytes }) as Promise<EncodedImage>;

  readInfotext: Engine['readInfotext'] = (png) =>
    this.#request({ kind: 'infotext', png }) as Promise<string | undefined>;

  #request(request: EngineRequest): Promise<EngineReplies[keyof EngineReplies]> {
    if (this.#closed !== undefined) return Promise.reject(new EngineDied('the engine was closed'));
    const open: OpenRequest = { request, reply: deferred(), sent: false, deaths: 0 };
    this.#requests.set(++this.#requestIds, open);
    this.#work();
    return open.reply.promise;
  }

  // --- the process --------------------------------------------------------------------------

  #start(): void {
    this.#restart = undefined;
    if (this.#closed !== undefined) return;
    const { modelDirectory, providers, threads, logger } = this.#settings;
    const { stallMs = 120_000, loadMs = 600_000 } = this.#settings;
    this.#loaded = false;
    const child = new EngineProcess(
      { stallMs, loadMs },
      {
        message: (message) => this.#hear(message),
        line: (line) => logger?.debug({ pid: child.pid }, `engine: ${line}`),
        end: (end) => this.#died(end),
      },
    );
    this.#process = child;
    child.send({ kind: 'load', directory: modelDirectory, providers, threads });
  }

  #hear(message: FromEngine): void {
    switch (message.kind) {
      case 'loaded':
        this.#modelLoaded(message.info, message.milliseconds);
        return;
      case 'unloadable':
        this.#giveUp(fromWire(message.error));
        return;
      case 'reply':
        this.#requests.get(message.id)?.reply.resolve(message.value);
        this.#requests.delete(message.id);
        return;
      case 'refused':
        this.#requests.get(message.id)?.reply.reject(fromWire(message.error));
        this.#requests.delete(message.id);
        return;
      case 'dropped':
      case 'pong':
        return;
      default:
        // A word about a run that was cancelled, or about a try before this one, is no news.
        if (this.#run !== undefined && this.#run.attempt === message.attempt) {
          this.#hearRun(this.#run, message);
        }
    }
  }

  #hearRun(
    run: ActiveRun,
    message: Extract<
      FromEngine,
      { readonly kind: 'started' | 'progress' | 'preview' | 'done' | 'failed' }
    >,
  ): void {
    switch (message.kind) {
      case 'started':
        run.taken = true;
        run.startedAt ??= performance.now();
        return;
      case 'progress': {
        const { report } = message;
        if (message.unet.length > 0) run.unet.set(report.index, message.unet);
        // A copy: the owner may hand the report's own bytes to another thread, and the original is
        // a view that would keep the whole message alive.
        run.checkpoint = { bytes: report.checkpoint.slice(), index: report.index };
        this.#tell(() => run.handlers.onStep?.(report));
        return;
      }
      case 'preview': {
        const { preview } = message;
        run.previewed = preview.index;
        const waiting = run.preview;
        run.preview = undefined;
        waiting?.resolve(preview);
        return;
      }
      case 'done':
        this.#process?.watchdog.runEnded();
        this.#deaths = 0;
        this.#settle(run, (result) => result.resolve(withTimes(run, message.result)));
        return;
      case 'failed':
        this.#process?.watchdog.runEnded();
        this.#settle(run, (result) => result.reject(fromWire(message.error)));
        return;
    }
  }

  #modelLoaded(info: ModelInfo, milliseconds: number): void {
    const { logger } = this.#settings;
    this.#loaded = true;
    this.#loadDeaths = 0;
    this.#loadedAt = performance.now();
    this.#info = info;
    this.#process?.watchdog.loaded();
    for (const { name, reason } of info.providersTried) {
      logger?.info({ provider: name, reason }, `provider ${name} was not taken: ${reason}`);
    }
    logger?.info(
      { provider: info.provider, model: info.name, milliseconds: Math.round(milliseconds) },
      `model ${info.name} was loaded with provider ${info.provider} in ${Math.round(milliseconds)} ms`,
    );
    for (const warning of info.warnings) logger?.warn({ model: info.name }, warning);
    this.#ready.resolve(info);
    this.#work();
  }

  #died({ how, lastWords }: ProcessEnd): void {
    const { logger, backOffMs = 100 } = this.#settings;
    const wasLoaded = this.#loaded;
    this.#process = undefined;
    this.#loaded = false;
    this.#onEnd?.();
    if (this.#closed !== undefined) return;

    if (wasLoaded && performance.now() - this.#loadedAt > SOUND_AFTER_MS) this.#deaths = 0;
    this.#deaths += 1;
    if (!wasLoaded) this.#loadDeaths += 1;
    logger?.warn({ deaths: this.#deaths, lastWords }, `the engine process ${how}`);
    if (this.#loadDeaths >= MAX_LOAD_DEATHS) {
      this.#giveUp(
        new EngineDied(
          `The engine process ${how} ${this.#loadDeaths} times while loading the model.`,
        ),
      );
      return;
    }
    const wait = Math.min(MAX_BACK_OFF_MS, backOffMs * 2 ** (this.#deaths - 1));
    this.#restart = setTimeout(() => this.#start(), wait);
    this.#mourn(how);
  }

  /** After a death: what was in the process goes to the next one, or is over. */
  #mourn(how: string): void {
    const error = () => new EngineDied(`The engine process ${how} twice under one job.`);
    for (const [id, open] of this.#requests) {
      if (!open.sent) continue;
      open.sent = false;
      open.deaths += 1;
      if (open.deaths < MAX_DEATHS) continue;
      this.#requests.delete(id);
      open.reply.reject(error());
    }
    const run = this.#run;
    if (run === undefined || run.attempt === undefined) return;
    run.attempt = undefined;
    // A process that died of an earlier, cancelled run is not held against this one.
    if (!run.taken) return;
    run.deaths += 1;
    if (run.deaths >= MAX_DEATHS) {
      this.#settle(run, (result) => result.reject(error()));
      return;
    }
    const from = run.checkpoint?.index ?? 0;
    run.previewed = Math.min(run.previewed, from);
    this.#settings.logger?.warn({ id: run.job.id, from }, 'the run is tried once more');
    this.#tell(() => run.handlers.onRetry?.(from));
  }

  /** An owner's handler that throws is the owner's bug: it must not take the engine along. */
  #tell(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#settings.logger?.error({ err: error }, 'a handler of a run threw');
    }
  }

  /** No model, no engine: everything waiting is told why. The next job tries again. */
  #giveUp(error: Error): void {
    if (!(error instanceof UserError)) {
      this.#settings.logger?.error({ err: error }, 'the engine could not load its model');
    }
    this.#loadDeaths = 0;
    const child = this.#process;
    if (child !== undefined) {
      // Its end must not be taken for one more death.
      this.#process = undefined;
      child.forget();
    }
    this.#ready.reject(error);
    for (const [id, open] of this.#requests) {
      this.#requests.delete(id);
      open.reply.reject(error);
    }
    if (this.#run !== undefined) this.#settle(this.#run, (result) => result.reject(error));
  }

  // --- the end ------------------------------------------------------------------------------

  close(graceMs = 2000): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    clearTimeout(this.#restart);
    const error = new EngineDied('the engine was closed');
    this.#ready.reject(error);
    for (const open of this.#requests.values()) open.reply.reject(error);
    this.#requests.clear();
    if (this.#run !== undefined) this.#cancel(this.#run);
    const child = this.#process;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = resolve;
    });
    child.send({ kind: 'close' });
    const timer = setTimeout(() => child.kill('was told to end'), graceMs);
    await ended;
    clearTimeout(timer);
  }
}

/** Where the next try begins: after the last step whose state got here. */
function startOf(run: ActiveRun): RunStart {
  return run.checkpoint === undefined
    ? run.job.start
    : { kind: 'resume', checkpoint: run.checkpoint.bytes };
}

function withTimes(run: ActiveRun, result: AttemptResult): RunResult {
  const now = performance.now();
  return {
    ...result,
    timings: {
      ...result.timings,
      load: (run.startedAt ?? now) - run.askedAt,
      unet: [...run.unet.values()].flat(),
      total: now - run.askedAt,
    },
  };
}
