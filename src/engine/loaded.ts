// The models in an engine process's memory: loaded when they are needed, within a budget, the one
// unused for longest unloaded first.

import { UserError } from '../errors.js';
import { loadModel, type Model } from '../pipeline/index.js';
import type { Send } from './host.js';
import { inWords } from './memory.js';
import { type HostOptions, type ModelRef, toWire } from './protocol.js';

/**
 * Loaded weights by the bytes of their files: a few are packed anew for the processor beside the
 * original, and a session has its own bookkeeping.
 */
const OVERHEAD = 1.15;

/** bytes by which a process grows and shrinks without a model being the reason */
const NOISE = 256e6;

/** Thrown where the process is to be replaced before anything more is loaded. */
export class WornOut extends Error {}

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
   * @throws UserError when it cannot be loaded or is larger than the budget
   * @throws WornOut when the process has to be replaced first
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

  /** The model if it is loaded, or can be without unloading one that a run needs. */
  async borrow(ref: ModelRef): Promise<Model | undefined> {
    const held = await this.#current(ref);
    if (held !== undefined) return held.model;
    const pinned = [...this.#held.values()].filter(({ pins }) => pins > 0);
    if (sum(pinned) + need(ref) > this.#options.memoryBytes && pinned.length > 0) return undefined;
    try {
      return (await this.#load(ref)).model;
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
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
      const now = process.memoryUsage.rss();
      const bytes = need(ref) + overNoise(now - before - need(ref));
      const held = { ref, model, bytes, pins: 0, before: now };
      this.#held.set(directory, held);
      const milliseconds = performance.now() - from;
      await this.#send({ kind: 'loaded', info: model.info, milliseconds });
      return held;
    } catch (error) {
      await this.#send({ kind: 'unloadable', directory, error: toWire(error) });
      throw error;
    }
  }

  async #makeRoom(ref: ModelRef): Promise<void> {
    const { memoryBytes, slackBytes } = this.#options;
    while (sum(this.#held.values()) + need(ref) > memoryBytes) {
      const oldest = [...this.#held.values()].find(({ pins }) => pins === 0);
      if (oldest === undefined) break;
      await this.#unload(oldest);
    }
    if (this.#unloaded === 0) return;
    const wasted = process.memoryUsage.rss() - this.#base - sum(this.#held.values());
    if (wasted > slackBytes) throw new WornOut(`${inWords(wasted)} did not come back`);
  }

  async #unload({ ref, model }: Held): Promise<void> {
    this.#held.delete(ref.directory);
    this.#unloaded++;
    await model.dispose();
    await this.#send({ kind: 'unloaded', directory: ref.directory });
  }
}

const need = (ref: ModelRef): number => ref.bytes * OVERHEAD;

const overNoise = (bytes: number): number => (bytes > NOISE ? bytes : 0);

function sum(held: Iterable<Held>): number {
  let bytes = 0;
  for (const each of held) bytes += each.bytes;
  return bytes;
}
