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

/** What one process has said of itself. */
interface Life {
  readonly process: EngineProcess;
  /** it has said something */
  opened: boolean;
  /** the directory that it is loading */
  loading: string | undefined;
  /** when it had loaded a model (performance.now, ms) */
  loadedAt: number;
  /** the provider whose accelerator it says is lost */
  lost: string | undefined;
}

export class Keeper {
  readonly #settings: EngineSettings;
  readonly #options: () => HostOptions;
  /** absolute */
  readonly #defaultDirectory: string;
  readonly #events: KeeperEvents;
  #life: Life | undefined;
  #restart: NodeJS.Timeout | undefined;
  /** deaths in a row, for the back-off */
  #deaths = 0;
  /** of these, the ones before the default model was loaded */
  #loadDeaths = 0;
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
    return this.#life?.process;
  }

  /** The process; without one, sees to it that one is coming. */
  want(): EngineProcess | undefined {
    if (this.#life === undefined && this.#restart === undefined) this.#start();
    return this.process;
  }

  /** Ends a process that has done nothing wrong; the next one starts at once. */
  replace(): void {
    this.process?.forget();
    this.#life = undefined;
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
    const process = new EngineProcess(
      { stallMs, loadMs },
      {
        message: (message) => this.#hear(life, message),
        line: (line) => logger?.debug({ pid: process.pid }, `engine: ${line}`),
        end: (end) => this.#died(life, end),
      },
    );
    const life: Life = {
      process,
      opened: false,
      loading: undefined,
      loadedAt: Number.POSITIVE_INFINITY,
      lost: undefined,
    };
    this.#life = life;
    process.send({ kind: 'open', options: this.#options() });
    this.#events.started(process);
  }

  #hear(life: Life, message: FromEngine): void {
    const { logger } = this.#settings;
    const { watchdog } = life.process;
    switch (message.kind) {
      case 'opened':
        life.opened = true;
        watchdog.loadEnded();
        return;
      case 'loading':
        life.loading = message.directory;
        watchdog.loadBegins();
        return;
      case 'loaded':
      case 'unloadable':
        life.loading = undefined;
        watchdog.loadEnded();
        if (message.kind === 'loaded') {
          life.loadedAt = performance.now();
          if (message.info.directory === this.#defaultDirectory) this.#loadDeaths = 0;
        }
        break;
      case 'lost':
        life.lost = message.provider;
        logger?.warn({ provider: message.provider }, message.reason);
        return;
      case 'worn': {
        if (this.#closed) {
          life.process.kill('was told to end'); // it answers nothing any more
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

  #died({ opened, loading, loadedAt, lost }: Life, { how, lastWords }: ProcessEnd): void {
    const { logger, backOffMs = 100 } = this.#settings;
    const loadingDefault = !opened || loading === this.#defaultDirectory;
    this.#life = undefined;
    this.#onEnd?.();
    if (this.#closed) return;

    const sound = loading === undefined && performance.now() - loadedAt > SOUND_AFTER_MS;
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
    const child = this.process;
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
