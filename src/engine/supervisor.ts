// The parent side of an engine: keeps one engine process alive, gives it one run at a time, and
// brings a run that lost its process to its end or to one clear error.

import { resolve } from 'node:path';
import { shuttingDown, UserError } from '../errors.js';
import { gpuDevices } from '../pipeline/devices.js';
import type { EncodedImage, ModelInfo } from '../pipeline/types.js';
import { type Deferred, deferred } from './deferred.js';
import { type Death, Keeper } from './keeper.js';
import { Ladder } from './ladder.js';
import { usualBudget } from './memory.js';
import { Offer } from './offer.js';
import type { EngineProcess } from './process.js';
import {
  type EngineRequest,
  type FromEngine,
  fromWire,
  type HostOptions,
  type ModelRef,
} from './protocol.js';
import { Requests } from './requests.js';
import { ActiveRun, type RunMessage } from './run.js';
import type { EngineSettings } from './settings.js';
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
import { untaken } from './untaken.js';

/** Processes that may die under one run or request. */
const MAX_DEATHS = 2;
const MIN_SLACK = 512e6;

/** An engine whose process this process started. */
export interface LocalEngine extends Engine {
  /** of the engine process; undefined between a death and the restart */
  readonly pid: number | undefined;
  /** resolves when a process has been told what to load; from then on it works by itself */
  readonly asked: Promise<void>;
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
  readonly #ladder: Ladder;
  readonly #keeper: Keeper;
  readonly #ready = deferred<ModelInfo>();
  readonly #asked = deferred<void>();
  #info: ModelInfo | undefined;
  /** models were seen not to fit beside each other */
  #alone = false;
  /** reasons already in the log why providers were not taken */
  readonly #told = new Set<string>();
  #closed: Promise<void> | undefined;

  #run: ActiveRun | undefined;
  #attempts = 0;
  readonly #requests = new Requests();

  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#defaultDirectory = resolve(settings.modelDirectory);
    this.#memoryBytes = settings.memoryBytes ?? usualBudget();
    this.#offer = new Offer(
      this.#defaultDirectory,
      settings.modelsDirectory,
      this.#memoryBytes,
      (problem) => settings.logger?.warn(problem.message),
    );
    this.#ladder = new Ladder(settings.providers);
    this.#keeper = new Keeper(settings, this.#defaultDirectory, () => this.#options(), {
      started: (child) => this.#started(child),
      message: (message) => this.#hear(message),
      died: (death) => this.#died(death),
      worn: (crowded) => {
        this.#alone ||= crowded;
      },
      replaced: () => this.#replaced(),
      gaveUp: (error) => this.#gaveUp(error),
    });
    this.#keeper.want();
  }

  get ready(): Promise<ModelInfo> {
    return this.#ready.promise;
  }

  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  get info(): ModelInfo | undefined {
    return this.#info;
  }

  get pid(): number | undefined {
    return this.#keeper.process?.pid;
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
      if (this.#ladder.climb()) this.#keeper.replace();
      this.#run = run;
      void this.#find(run);
    } else {
      run.settle((result) => result.reject(new RunCancelled(job.id)));
    }
    return {
      id: job.id,
      result: run.result.promise,
      nextPreview: () => run.nextPreview(this.#keeper.process),
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
    if (run.attempt !== undefined)
      this.#keeper.process?.send({ kind: 'stop', attempt: run.attempt });
  }

  #cancel(run: ActiveRun): void {
    if (run !== this.#run) return;
    if (run.attempt !== undefined)
      this.#keeper.process?.send({ kind: 'cancel', attempt: run.attempt });
    // The caller is free at once. The next run waits in the process's pipe until the model call in
    // progress has ended, or in this object until the process was killed for its silence.
    this.#settle(run, (result) => result.reject(new RunCancelled(run.job.id)));
  }

  /** The only way out of a run: frees the slot, then tells the owner. */
  #settle(run: ActiveRun, tell: (result: Deferred<RunResult>) => void): void {
    if (run !== this.#run) return;
    this.#run = undefined;
    this.#ladder.runEnded();
    run.settle(tell);
  }

  /** Gives the process what waits for it; without a process, sees to it that one is coming. */
  #work(): void {
    const child = this.#keeper.want();
    if (child === undefined) return;
    this.#requests.send(child);
    const run = this.#run;
    if (run?.model === undefined || run.attempt !== undefined) return;
    run.begin(child, ++this.#attempts, run.model);
  }

  // --- requests -----------------------------------------------------------------------------

  evolution: Engine['evolution'] = async (steps, options, maxBytes, name) => {
    const model = await this.#modelOfSteps(name);
    return this.#ask({ kind: 'evolution', model, steps, options, maxBytes });
  };

  picture: Engine['picture'] = async (step, show, maxBytes, name) => {
    const model = await this.#modelOfSteps(name);
    return this.#ask({ kind: 'picture', model, step, show, maxBytes });
  };

  beside: Engine['beside'] = (pictures, maxBytes) =>
    this.#ask({ kind: 'beside', pictures, maxBytes });

  /**
   * Steps are drawn without their model where there is none to draw them with: that it is gone or
   * damaged is no news here. That it could not be looked for at all is.
   */
  async #modelOfSteps(name: string | undefined): Promise<ModelRef | undefined> {
    return this.#offer.locate(name).catch((error: unknown) => {
      if (!(error instanceof UserError))
        this.#settings.logger?.error(
          { err: error },
          'a model could not be looked for; its kept steps are drawn without it',
        );
      return undefined;
    });
  }

  #ask(request: EngineRequest): Promise<EncodedImage> {
    if (this.#closed !== undefined) return Promise.reject(shuttingDown());
    const reply = this.#requests.add(request);
    this.#work();
    return reply;
  }

  // --- the process --------------------------------------------------------------------------

  #options(): HostOptions {
    const { threads, slackBytes, safety = 'blur' } = this.#settings;
    const memoryBytes = this.#memoryBytes;
    return {
      providers: this.#ladder.providers,
      threads,
      memoryBytes,
      slackBytes: slackBytes ?? Math.max(MIN_SLACK, memoryBytes / 4),
      alone: this.#alone,
      safety,
    };
  }

  #started(child: EngineProcess): void {
    // A run brings its own model; else the default is made ready for the next one.
    if (this.#run === undefined || this.#info === undefined) void this.#preload(child);
    this.#work();
  }

  async #preload(child: EngineProcess): Promise<void> {
    try {
      child.send({ kind: 'load', model: await this.#offer.locate(undefined) });
    } finally {
      this.#asked.resolve();
    }
  }

  #hear(message: FromEngine): void {
    switch (message.kind) {
      case 'loaded':
        this.#modelLoaded(message.info, message.milliseconds);
        return;
      case 'unloadable':
        this.#modelUnloadable(message.directory, fromWire(message.error));
        return;
      case 'unloaded':
        this.#offer.unloaded(message.directory);
        this.#settings.logger?.info(
          { directory: message.directory },
          'a model was unloaded to make room',
        );
        return;
      case 'reply':
        this.#requests.settle(message.id, (reply) => reply.resolve(message.value));
        return;
      case 'refused':
        this.#requests.settle(message.id, (reply) => reply.reject(fromWire(message.error)));
        return;
      case 'started':
      case 'progress':
      case 'preview':
      case 'done':
      case 'failed':
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
        for (const step of message.steps) {
          if (this.#run !== run) return; // its owner cancelled it at the step before
          run.progressed(step);
          this.#tell(() => run.handlers.onStep?.(step.report));
        }
        return;
      case 'preview':
        run.previewed(message.preview);
        return;
      case 'done':
        this.#keeper.process?.watchdog.runEnded();
        this.#keeper.sound();
        this.#settle(run, (result) => result.resolve(run.withTimes(message.result)));
        return;
      case 'failed':
        this.#keeper.process?.watchdog.runEnded();
        this.#settle(run, (result) => result.reject(fromWire(message.error)));
        return;
    }
  }

  #modelLoaded(info: ModelInfo, milliseconds: number): void {
    const { logger } = this.#settings;
    const isDefault = info.directory === this.#defaultDirectory;
    this.#offer.loaded(info);
    void this.#tellUntaken(info);
    logger?.info(
      { provider: info.provider, model: info.name, milliseconds: Math.round(milliseconds) },
      `model ${info.name} was loaded with provider ${info.provider} in ${Math.round(milliseconds)} ms`,
    );
    for (const warning of info.warnings) logger?.warn({ model: info.name }, warning);
    if (!isDefault) return;
    this.#info = info;
    this.#ready.resolve(info);
  }

  async #tellUntaken(info: ModelInfo): Promise<void> {
    const devices = process.platform === 'linux' ? await gpuDevices() : undefined;
    for (const line of untaken(info, devices)) {
      if (this.#told.has(line)) continue;
      this.#told.add(line);
      this.#settings.logger?.info(line);
    }
  }

  /** The job that needs it is told by the process; what else is loaded stays usable. */
  #modelUnloadable(directory: string, error: Error): void {
    const { logger } = this.#settings;
    if (directory === this.#defaultDirectory) this.#ready.reject(error);
    if (error instanceof UserError) logger?.warn({ directory }, error.message);
    else logger?.error({ directory, err: error }, 'the engine could not load a model');
  }

  /** What was in the process goes to the next one, or is over. */
  #died({ how, counts, loading, lost }: Death): void {
    const twice = () => new EngineDied(`The engine process ${how} twice under one job.`);
    this.#offer.allUnloaded();
    this.#requests.orphaned(counts, MAX_DEATHS, twice);
    const run = this.#run;
    if (run === undefined || run.attempt === undefined) return;
    const from = run.orphaned();
    const underRun = run.taken || (loading !== undefined && loading === run.model?.directory);
    // A process that died of an earlier, cancelled run is not held against this one.
    if (!underRun) return;
    if (lost !== undefined) {
      const providers = this.#ladder.lost(lost);
      if (providers.length === 0) {
        this.#settle(run, (result) => result.reject(noAccelerator(lost)));
        return;
      }
      this.#settings.logger?.warn(
        { id: run.job.id, from, providers },
        `the accelerator of ${lost} was lost; the run goes on with ${providers.join(', ')}`,
      );
    } else {
      run.deaths += 1;
      if (run.deaths >= MAX_DEATHS) {
        const error = loading === undefined ? twice() : loadDeath(run, how);
        this.#settle(run, (result) => result.reject(error));
        return;
      }
      this.#settings.logger?.warn({ id: run.job.id, from }, 'the run is tried once more');
    }
    this.#tell(() => run.handlers.onRetry?.(from));
  }

  /** As after a death, but nobody is to blame. */
  #replaced(): void {
    this.#offer.allUnloaded();
    this.#requests.orphaned(false, MAX_DEATHS, () => new EngineDied('it was replaced'));
    this.#run?.orphaned();
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
  #gaveUp(error: EngineDied): void {
    this.#offer.allUnloaded();
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
    const error = new EngineDied('the engine was closed');
    this.#ready.reject(error);
    this.#requests.rejectAll(shuttingDown());
    if (this.#run !== undefined) this.#cancel(this.#run);
    await this.#keeper.close(graceMs);
  }
}

function noAccelerator(provider: string): UserError {
  return new UserError(
    'accelerator-lost',
    `The accelerator (${provider}) was lost twice under this picture, and there is no other; try a smaller picture.`,
    { provider },
  );
}

function loadDeath(run: ActiveRun, how: string): UserError {
  const name = run.job.parameters.model ?? '';
  return new UserError(
    'model-load-died',
    `The engine process ${how} twice while loading the model "${name}"; it may need more memory than there is.`,
    { name },
  );
}
