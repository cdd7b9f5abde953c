// The models in an engine process's memory: loaded when they are needed, within a budget, the one
// unused for longest unloaded first.

import { UserError } from '../errors.js';
import { kindOf, loadModel, type Model } from '../pipeline/index.js';
import type { ModelInfo } from '../pipeline/types.js';
import { inWords } from './memory.js';
import type { Send } from './painter.js';
import { type HostOptions, type ModelRef, toWire } from './protocol.js';

/**
 * Loaded weights by the bytes of their files: a few are packed anew for the processor beside the
 * original, and a session has its own bookkeeping.
 */
const OVERHEAD = 1.15;

/** bytes by which a process grows and shrinks without a model being the reason */
const NOISE = 256e6;

/** Thrown where the process is to be replaced before anything more is loaded. */
export class WornOut extends Error {
  /** models that are loaded do not leave enough for each other */
  readonly crowded: boolean;

  constructor(message: string, crowded: boolean) {
    super(message);
    this.crowded = crowded;
  }
}

interface Held {
  readonly ref: ModelRef;
  readonly model: Model;
  /** bytes that it takes: estimated, then what the process was seen to grow by */
  bytes: number;
  /** runs that need it */
  pins: number;
  /** resident bytes of the process when the run in progress began */
  before: number;
}

export class LoadedModels {
  readonly #options: HostOptions;
  readonly #send: Send;
  /** by directory; the one used last at the end */
  readonly #held = new Map<string, Held>();
  /** resident bytes of the process before its first model */
  readonly #base = process.memoryUsage.rss();
  #unloaded = 0;

  constructor(options: HostOptions, send: Send) {
    this.#options = options;
    this.#send = send;
  }

  get safety(): HostOptions['safety'] {
    return this.#options.safety;
  }

  /**
   * The model, loaded if it is not, and kept until it is given back.
   * @throws UserError when it cannot be loaded
   * @throws WornOut when it can only be loaded by a fresh process
   */
  async take(ref: ModelRef): Promise<Model> {
    const held = (await this.#current(ref)) ?? (await this.#load(ref));
    held.pins++;
    held.before = process.memoryUsage.rss();
    return held.model;
  }

  /** The run is over; what the process has grown by in it counts as the model's from now on. */
  give(model: Model): void {
    const held = this.#held.get(model.info.directory);
    if (held === undefined) return;
    held.pins--;
    held.bytes += overNoise(process.memoryUsage.rss() - held.before);
  }

  /** Whether a model that is not needed now takes memory away from one that is. */
  get isCrowded(): boolean {
    return this.#held.size > 1;
  }

  /** The model if it is loaded, or can be without unloading one that a run needs. */
  async borrow(ref: ModelRef): Promise<Model | undefined> {
    const held = await this.#current(ref);
    if (held !== undefined) return held.model;
    const pinned = [...this.#held.values()].filter(({ pins }) => pins > 0);
    const { alone, memoryBytes } = this.#options;
    const fits = !alone && sum(pinned) + need(ref) <= memoryBytes;
    if (pinned.length > 0 && !fits) return undefined;
    try {
      return (await this.#load(ref)).model;
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  }

  get #isPinned(): boolean {
    return [...this.#held.values()].some(({ pins }) => pins > 0);
  }

  async dispose(): Promise<void> {
    const models = [...this.#held.values()].map(({ model }) => model);
    this.#held.clear();
    await Promise.all(models.map((model) => model.dispose()));
  }

  /** The one in memory, which is now the one used last; not if its files have changed since. */
  async #current(ref: ModelRef): Promise<Held | undefined> {
    const held = this.#held.get(ref.directory);
    if (held === undefined) return undefined;
    if (held.ref.fingerprint !== ref.fingerprint && held.pins === 0) {
      await this.#unload(held);
      return undefined;
    }
    this.#held.delete(ref.directory);
    this.#held.set(ref.directory, held);
    return held;
  }

  async #load(ref: ModelRef): Promise<Held> {
    await this.#makeRoom(ref);
    const { directory } = ref;
    await this.#send({ kind: 'loading', directory });
    const { providers, threads } = this.#options;
    const [from, before] = [performance.now(), process.memoryUsage.rss()];
    try {
      const model = await loadModel(directory, {
        providers,
        ...(threads !== undefined && { threads }),
      });
      if (passedForMemory(model.info) && this.#held.size > 0 && !this.#isPinned) {
        await model.dispose();
        throw new WornOut(`${model.info.name} did not fit beside other models`, true);
      }
      const now = process.memoryUsage.rss();
      const bytes = need(ref) + overNoise(now - before - need(ref));
      const held = { ref, model, bytes, pins: 0, before: now };
      this.#held.set(directory, held);
      const milliseconds = performance.now() - from;
      await this.#send({ kind: 'loaded', info: model.info, milliseconds });
      return held;
    } catch (error) {
      // Alone in a fresh process it may fit, and so may it on the provider that is asked for first.
      if (isMemory(error) && this.#held.size > 0 && !this.#isPinned) {
        throw new WornOut('a model did not fit beside other models', true);
      }
      if (!(error instanceof WornOut)) {
        await this.#send({ kind: 'unloadable', directory, error: toWire(error) });
      }
      throw error;
    }
  }

  async #makeRoom(ref: ModelRef): Promise<void> {
    const { memoryBytes, slackBytes } = this.#options;
    const isFull = () =>
      this.#options.alone
        ? this.#held.size > 0
        : sum(this.#held.values()) + need(ref) > memoryBytes;
    while (isFull()) {
      const oldest = [...this.#held.values()].find(({ pins }) => pins === 0);
      if (oldest === undefined) break;
      await this.#unload(oldest);
    }
    if (this.#unloaded === 0 || this.#isPinned) return;
    const wasted = process.memoryUsage.rss() - this.#base - sum(this.#held.values());
    if (wasted > slackBytes) throw new WornOut(`${inWords(wasted)} did not come back`, false);
  }

  async #unload({ ref, model }: Held): Promise<void> {
    this.#held.delete(ref.directory);
    this.#unloaded++;
    await model.dispose();
    await this.#send({ kind: 'unloaded', directory: ref.directory });
  }
}

/** No provider, or the only one that there is, has memory for it. */
const isMemory = (error: unknown): boolean =>
  kindOf(error) === 'memory' ||
  (error instanceof UserError &&
    error.identifier === 'no-provider' &&
    error.context.kind === 'memory');

/** A provider was passed over because its memory was full. */
const passedForMemory = ({ providersTried }: ModelInfo): boolean =>
  providersTried.some(({ kind }) => kind === 'memory');

const need = (ref: ModelRef): number => ref.bytes * OVERHEAD;

const overNoise = (bytes: number): number => (bytes > NOISE ? bytes : 0);

function sum(held: Iterable<Held>): number {
  let bytes = 0;
  for (const each of held) bytes += each.bytes;
  return bytes;
}
