// Keeps one engine process alive: starts it, starts it anew after a death with growing patience, and
// gives up when it cannot even load the default model.

import { inWords } from './memory.js';
import { EngineProcess, type ProcessEnd } from './process.js';
import type { FromEngine, HostOptions } from './protocol.js';
import type { EngineSettings } from './settings.js';
import { EngineDied } from './types.js';

const MAX_BACK_OFF_MS = 30_000;
/** A process that lived this long (ms) without harm starts the back-off anew. */
const SOUND_AFTER_MS = 60_000;
/** Processes that died in a row before the default model was loaded, after which the engine gives up. */
const MAX_LOAD_DEATHS = 4;

/** What a process's death says about what it was doing. */
export interface Death {
  /** the end of a sentence that begins with 'the engine process' */
  readonly how: string;
  /** it may be the fault of a job; otherwise it came before anything was done for one */
  readonly counts: boolean;
  /** the directory of the model, not the default one, that it was loading */
  readonly loading: string | undefined;
  /** the provider whose accelerator was lost */
  readonly lost: string | undefined;
}

export interface KeeperEvents {
  /** a fresh process runs, and can be given what waits */
  started(process: EngineProcess): void;
  /** every message but those that only say how the process is */
  message(message: FromEngine): void;
  died(death: Death): void;
  /** it holds memory that only its end gives back, and is about to be replaced */
  worn(crowded: boolean): void;
  /** ended in good order; the next one starts now */
  replaced(): void;
  /** the next job starts a process again */
  gaveUp(error: EngineDied): void;
}

export class Keeper {
  readonly #settings: EngineSettings;
  readonly #options: () => HostOptions;
  /** absolute */
  readonly #defaultDirectory: string;
  readonly #events: KeeperEvents;
  #process: EngineProcess | undefined;
  /** the process has said something */
  #opened = false;
  /** the directory that it is loading */
  #loading: string | undefined;
  /** the provider whose accelerator it says is lost */
  #lost: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  /** deaths in a row, for the back-off */
  #deaths = 0;
  /** of these, the ones before the default model was loaded */
  #loadDeaths = 0;
  #loadedAt = Number.POSITIVE_INFINITY;
  #closed = false;
  /** resolves `close` when the process has ended */
  #onEnd: (() => void) | undefined;

  /** @param options asked for with each process */
  constructor(
    settings: EngineSettings,
    defaultDirectory: string,
    options: () => HostOptions,
    events: KeeperEvents,
  ) {
    this.#settings = settings;
    this.#defaultDirectory = defaultDirectory;
    this.#options = options;
    this.#events = events;
  }

  /** undefined between a death and the restart */
  get process(): EngineProcess | undefined {
    return this.#process;
  }

  /** The process; without one, sees to it that one is coming. */
  want(): EngineProcess | undefined {
    if (this.#process === undefined && this.#restart === undefined) this.#start();
    return this.#process;
  }

  /** Ends a process that has done nothing wrong; the next one starts at once. */
  replace(): void {
    this.#process?.forget();
    this.#process = undefined;
    this.#events.replaced();
    clearTimeout(this.#restart);
    this.#start();
  }

  /** A run was brought to its end: what went wrong before it is over. */
  sound(): void {
    this.#deaths = 0;
  }

  #start(): void {
    this.#restart = undefined;
    if (this.#closed) return;
    const { logger, stallMs = 120_000, loadMs = 600_000 } = this.#settings;
    this.#opened = false;
    this.#loading = undefined;
    this.#lost = undefined;
    const child = new EngineProcess(
      { stallMs, loadMs },
      {
        message: (message) => this.#hear(child, message),
        line: (line) => logger?.debug({ pid: child.pid }, `engine: ${line}`),
        end: (end) => this.#died(end),
      },
    );
    this.#process = child;
    child.send({ kind: 'open', options: this.#options() });
    this.#events.started(child);
  }

  #hear(child: EngineProcess, message: FromEngine): void {
    const { logger } = this.#settings;
    switch (message.kind) {
      case 'opened':
        this.#opened = true;
        child.watchdog.loadEnded();
        return;
      case 'loading':
        this.#loading = message.directory;
        child.watchdog.loadBegins();
        return;
      case 'loaded':
      case 'unloadable':
        this.#loading = undefined;
        child.watchdog.loadEnded();
        if (message.kind === 'loaded') {
          this.#loadedAt = performance.now();
          if (message.info.directory === this.#defaultDirectory) this.#loadDeaths = 0;
        }
        break;
      case 'lost':
        this.#lost = message.provider;
        logger?.warn({ provider: message.provider }, message.reason);
        return;
      case 'worn': {
        if (this.#closed) {
          child.kill('was told to end'); // it answers nothing any more
          return;
        }
        const held = inWords(message.bytes);
        const why = message.crowded
          ? 'its models leave no room for each other'
          : `it holds ${held}`;
        const sentence = `the engine process is replaced to get memory back: ${why}`;
        logger?.info({ bytes: message.bytes }, sentence);
        this.#events.worn(message.crowded);
        this.replace();
        return;
      }
    }
    this.#events.message(message);
  }

  #died({ how, lastWords }: ProcessEnd): void {
    const { logger, backOffMs = 100 } = this.#settings;
    const [loading, lost] = [this.#loading, this.#lost];
    const loadingDefault = !this.#opened || loading === this.#defaultDirectory;
    this.#process = undefined;
    this.#onEnd?.();
    if (this.#closed) return;

    const sound = loading === undefined && performance.now() - this.#loadedAt > SOUND_AFTER_MS;
    if (sound && !loadingDefault) this.#deaths = 0;
    this.#deaths += 1;
    if (loadingDefault) this.#loadDeaths += 1;
    logger?.warn({ deaths: this.#deaths, lastWords }, `the engine process ${how}`);
    if (this.#loadDeaths >= MAX_LOAD_DEATHS) {
      const times = this.#loadDeaths;
      this.#loadDeaths = 0;
      const error = new EngineDied(
        `The engine process ${how} ${times} times while loading the model.`,
      );
      logger?.error({ err: error }, 'the engine could not load its model');
      this.#events.gaveUp(error);
      return;
    }
    const wait = Math.min(MAX_BACK_OFF_MS, backOffMs * 2 ** (this.#deaths - 1));
    this.#restart = setTimeout(() => this.#start(), wait);
    const counts = !loadingDefault;
    this.#events.died({ how, counts, loading: counts ? loading : undefined, lost });
  }

  /** Resolves when the process has ended, by itself or killed after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
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
