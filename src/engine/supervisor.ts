// The parent side of an engine: keeps one engine process alive, gives it one run at a time, and
// brings a run that lost its process to its end or to one clear error.

import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { UserError } from '../errors.js';
import type { EncodedImage, ModelInfo } from '../pipeline/types.js';
import { type Deferred, deferred } from './deferred.js';
import { inWords, usualBudget } from './memory.js';
import { Offer } from './offer.js';
import { EngineProcess, type ProcessEnd } from './process.js';
import { type EngineRequest, type FromEngine, fromWire } from './protocol.js';
import { type Reply, Requests } from './requests.js';
import { ActiveRun, type RunMessage } from './run.js';
import {
  type Engine,
  EngineDied,
  type EngineJob,
  type EngineRun,
  type ModelSummary,
  type OfferedModel,
  RunCancelled,
  type RunHandlers,
  type RunResult,
} from './types.js';

export interface EngineSettings {
  /** a diffusers ONNX directory: the model of jobs that name none */
  readonly modelDirectory: string;
  /** its sub-directories that are models are offered as well; absent: the default alone */
  readonly modelsDirectory?: string;
  /** bytes that loaded models may take; absent: a share of the machine's memory */
  readonly memoryBytes?: number;
  /**
   * Bytes that unloaded models may leave behind before the process is replaced at the next load;
   * absent: a quarter of `memoryBytes`, at least 512 MB.
   */
  readonly slackBytes?: number;
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
/** Processes that died in a row before the default model was loaded, after which the engine gives up. */
const MAX_LOAD_DEATHS = 4;
/** Processes that may die under one run or request. */
const MAX_DEATHS = 2;
const MIN_SLACK = 512e6;

/** An engine whose process this process started. */
export interface LocalEngine extends Engine {
  /** of the engine process; undefined between a death and the restart */
  readonly pid: number | undefined;
}

/** Starts an engine process. Never blocks: whatever fails shows in `ready` and in the runs. */
export function createEngine(settings: EngineSettings): LocalEngine {
  return new Supervisor(settings);
}

class Supervisor implements LocalEngine {
  readonly #settings: EngineSettings;
  readonly #defaultDirectory: string;
  readonly #memoryBytes: number;
  readonly #offer: Offer;
  readonly #ready = deferred<ModelInfo>();
  #info: ModelInfo | undefined;
  #process: EngineProcess | undefined;
  /** the process has said something */
  #opened = false;
  /** the directory that it is loading */
  #loading: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  /** deaths in a row, for the back-off */
  #deaths = 0;
  /** of these, the ones before the default model was loaded */
  #loadDeaths = 0;
  #loadedAt = 0;
  /** reasons already in the log why providers were not taken */
  readonly #told = new Set<string>();
  #closed: Promise<void> | undefined;
  /** resolves `close` when the process has ended */
  #onEnd: (() => void) | undefined;

  #run: ActiveRun | undefined;
  #attempts = 0;
  readonly #requests = new Requests();

  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#defaultDirectory = resolve(settings.modelDirectory);
    this.#memoryBytes = settings.memoryBytes ?? usualBudget();
    this.#offer = new Offer(this.#defaultDirectory, settings.modelsDirectory, this.#memoryBytes);
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

  get models(): readonly ModelSummary[] {
    return this.#offer.summaries;
  }

  async model(name?: string): Promise<OfferedModel> {
    return (await this.#offer.find(name)).offered;
  }

  // --- runs ---------------------------------------------------------------------------------

  run(job: EngineJob, handlers: RunHandlers = {}): EngineRun {
    if (this.#run !== undefined) {
      throw new Error(`Expected one run at a time, got ${job.id} during ${this.#run.job.id}`);
    }
    const run = new ActiveRun(job, handlers);
    if (this.#closed === undefined) {
      this.#run = run;
      void this.#find(run);
    } else {
      run.settle((result) => result.reject(new RunCancelled(job.id)));
    }
    return {
      id: job.id,
      result: run.result.promise,
      nextPreview: () => run.nextPreview(this.#process),
      stop: () => this.#stop(run),
      cancel: () => this.#cancel(run),
    };
  }

  /** Learns where the run's model lies; then it can begin. */
  async #find(run: ActiveRun): Promise<void> {
    try {
      run.model = await this.#offer.locate(run.job.parameters.model);
      this.#work();
    } catch (error) {
      this.#settle(run, (result) => result.reject(error));
    }
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

  /** The only way out of a run: frees the slot, then tells the owner. */
  #settle(run: ActiveRun, tell: (result: Deferred<RunResult>) => void): void {
    if (run !== this.#run) return;
    this.#run = undefined;
    run.settle(tell);
  }

  /** Gives the process what waits for it; without a process, sees to it that one is coming. */
  #work(): void {
    if (this.#process === undefined) {
      if (this.#restart === undefined) this.#start();
      return;
    }
    this.#requests.send(this.#process);
    const run = this.#run;
    if (run?.model === undefined || run.attempt !== undefined) return;
    run.begin(this.#process, ++this.#attempts, run.model);
  }

  // --- requests -----------------------------------------------------------------------------

  evolution: Engine['evolution'] = async (steps, options, maxBytes, name) => {
    const model = await this.#offer.locate(name).catch(() => undefined);
    return this.#ask<EncodedImage>({ kind: 'evolution', model, steps, options, maxBytes });
  };

  picture: Engine['picture'] = async (step, show, maxBytes, name) => {
    const model = await this.#offer.locate(name).catch(() => undefined);
    return this.#ask<EncodedImage>({ kind: 'picture', model, step, show, maxBytes });
  };

  readInfotext: Engine['readInfotext'] = (png) =>
    this.#ask<string | undefined>({ kind: 'infotext', png });

  #ask<T extends Reply>(request: EngineRequest): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(new EngineDied('the engine was closed'));
    const reply = this.#requests.add(request);
    this.#work();
    return reply as Promise<T>;
  }

  // --- the process --------------------------------------------------------------------------

  #start(): void {
    this.#restart = undefined;
    if (this.#closed !== undefined) return;
    const { providers, threads, logger } = this.#settings;
    const { stallMs = 120_000, loadMs = 600_000 } = this.#settings;
    this.#opened = false;
    this.#loading = undefined;
    const child = new EngineProcess(
      { stallMs, loadMs },
      {
        message: (message) => this.#hear(message),
        line: (line) => logger?.debug({ pid: child.pid }, `engine: ${line}`),
        end: (end) => this.#died(end),
      },
    );
    this.#process = child;
    const memoryBytes = this.#memoryBytes;
    const slackBytes = this.#settings.slackBytes ?? Math.max(MIN_SLACK, memoryBytes / 4);
    child.send({ kind: 'open', options: { providers, threads, memoryBytes, slackBytes } });
    // A run brings its own model; else the default is made ready for the next one.
    if (this.#run === undefined || this.#info === undefined) void this.#preload(child);
    this.#work();
  }

  async #preload(child: EngineProcess): Promise<void> {
    child.send({ kind: 'load', model: await this.#offer.locate(undefined) });
    this.#work();
  }

  #hear(message: FromEngine): void {
    const { logger } = this.#settings;
    switch (message.kind) {
      case 'opened':
        this.#opened = true;
        this.#process?.watchdog.loadEnded();
        return;
      case 'loading':
        this.#loading = message.directory;
        this.#process?.watchdog.loadBegins();
        return;
      case 'loaded':
        this.#loading = undefined;
        this.#process?.watchdog.loadEnded();
        this.#modelLoaded(message.info, message.milliseconds);
        return;
      case 'unloadable':
        this.#loading = undefined;
        this.#process?.watchdog.loadEnded();
        this.#modelUnloadable(message.directory, fromWire(message.error));
        return;
      case 'unloaded':
        this.#offer.unloaded(message.directory);
        logger?.info({ directory: message.directory }, 'a model was unloaded to make room');
        return;
      case 'worn':
        logger?.info(
          { bytes: message.bytes },
          `the engine process holds ${inWords(message.bytes)} and is replaced before the next model`,
        );
        this.#replace();
        return;
      case 'reply':
        this.#requests.settle(message.id, (reply) => reply.resolve(message.value));
        return;
      case 'refused':
        this.#requests.settle(message.id, (reply) => reply.reject(fromWire(message.error)));
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

  #hearRun(run: ActiveRun, message: RunMessage): void {
    switch (message.kind) {
      case 'started':
        run.started();
        return;
      case 'progress':
        run.progressed(message);
        this.#tell(() => run.handlers.onStep?.(message.report));
        return;
      case 'preview':
        run.previewed(message.preview);
        return;
      case 'done':
        this.#process?.watchdog.runEnded();
        this.#deaths = 0;
        this.#settle(run, (result) => result.resolve(run.withTimes(message.result)));
        return;
      case 'failed':
        this.#process?.watchdog.runEnded();
        this.#settle(run, (result) => result.reject(fromWire(message.error)));
        return;
    }
  }

  #modelLoaded(info: ModelInfo, milliseconds: number): void {
    const { logger } = this.#settings;
    const isDefault = info.directory === this.#defaultDirectory;
    if (isDefault) this.#loadDeaths = 0;
    this.#loadedAt = performance.now();
    this.#offer.loaded(info);
    for (const { name, reason } of info.providersTried) {
      const line = `provider ${name} was not taken: ${reason}`;
      if (this.#told.has(line)) continue;
      this.#told.add(line);
      logger?.info({ provider: name, reason }, line);
    }
    logger?.info(
      { provider: info.provider, model: info.name, milliseconds: Math.round(milliseconds) },
      `model ${info.name} was loaded with provider ${info.provider} in ${Math.round(milliseconds)} ms`,
    );
    for (const warning of info.warnings) logger?.warn({ model: info.name }, warning);
    if (!isDefault) return;
    this.#info = info;
    this.#ready.resolve(info);
  }

  /** The job that needs it is told by the process; what else is loaded stays usable. */
  #modelUnloadable(directory: string, error: Error): void {
    const { logger } = this.#settings;
    if (directory === this.#defaultDirectory) this.#ready.reject(error);
    if (error instanceof UserError) logger?.warn({ directory }, error.message);
    else logger?.error({ directory, err: error }, 'the engine could not load a model');
  }

  #died({ how, lastWords }: ProcessEnd): void {
    const { logger, backOffMs = 100 } = this.#settings;
    const loading = this.#loading;
    const loadingDefault = !this.#opened || loading === this.#defaultDirectory;
    this.#process = undefined;
    this.#offer.allUnloaded();
    this.#onEnd?.();
    if (this.#closed !== undefined) return;

    const sound = performance.now() - this.#loadedAt > SOUND_AFTER_MS;
    if (!loadingDefault && loading === undefined && sound) this.#deaths = 0;
    this.#deaths += 1;
    if (loadingDefault) this.#loadDeaths += 1;
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
    this.#mourn(how, loadingDefault, loading);
  }

  /** After a death: what was in the process goes to the next one, or is over. */
  #mourn(how: string, loadingDefault: boolean, loading: string | undefined): void {
    const error = () => new EngineDied(`The engine process ${how} twice under one job.`);
    this.#requests.orphaned(!loadingDefault, MAX_DEATHS, error);
    const run = this.#run;
    if (run === undefined || run.attempt === undefined) return;
    const from = run.orphaned();
    const duringLoad = !loadingDefault && loading !== undefined && loading === run.model?.directory;
    // A process that died of an earlier, cancelled run is not held against this one.
    if (!run.taken && !duringLoad) return;
    run.deaths += 1;
    if (run.deaths >= MAX_DEATHS) {
      const reason = duringLoad ? loadDeath(run, how) : error();
      this.#settle(run, (result) => result.reject(reason));
      return;
    }
    this.#settings.logger?.warn({ id: run.job.id, from }, 'the run is tried once more');
    this.#tell(() => run.handlers.onRetry?.(from));
  }

  /** Ends a process that has done nothing wrong; the next one begins with all that was in it. */
  #replace(): void {
    const child = this.#process;
    this.#process = undefined;
    child?.forget();
    this.#offer.allUnloaded();
    this.#requests.orphaned(false, MAX_DEATHS, () => new Error('unreachable'));
    this.#run?.orphaned();
    this.#start();
  }

  /** An owner's handler that throws is the owner's bug: it must not take the engine along. */
  #tell(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#settings.logger?.error({ err: error }, 'a handler of a run threw');
    }
  }

  /** No default model, no engine: everything waiting is told why. The next job tries again. */
  #giveUp(error: Error): void {
    this.#settings.logger?.error({ err: error }, 'the engine could not load its model');
    this.#loadDeaths = 0;
    this.#ready.reject(error);
    this.#requests.rejectAll(error);
    const run = this.#run;
    if (run !== undefined) this.#settle(run, (result) => result.reject(error));
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
    this.#requests.rejectAll(error);
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

function loadDeath(run: ActiveRun, how: string): UserError {
  const name = run.job.parameters.model ?? '';
  return new UserError(
    'model-load-died',
    `The engine process ${how} twice while loading the model "${name}"; it may need more memory than there is.`,
    { name },
  );
}
