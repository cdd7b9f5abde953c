// The engines there are, and which of them is free. The queue runs no more jobs than engines, so a
// job always finds one.

import type { Exchange } from '../discord/exchange.js';
import type { Engine } from '../engine/types.js';
import type { ModelInfo } from '../pipeline/types.js';

export class EnginePool {
  readonly #all: readonly Engine[];
  readonly #free: Engine[];

  constructor(engines: readonly Engine[]) {
    this.#all = engines;
    this.#free = [...engines];
  }

  get size(): number {
    return this.#all.length;
  }

  /** What the engines run; undefined while none has loaded it. */
  get info(): ModelInfo | undefined {
    return this.#all.find((engine) => engine.info !== undefined)?.info;
  }

  /** The same once an engine has loaded it. Rejects with UserError when the model is at fault. */
  async ready(): Promise<ModelInfo> {
    return this.info ?? Promise.any(this.#all.map((engine) => engine.ready)).catch(firstReason);
  }

  /** Resolves when every engine is ready to work. */
  async allReady(): Promise<ModelInfo> {
    const [info] = await Promise.all(this.#all.map((engine) => engine.ready));
    if (info === undefined) throw new Error('there is no engine');
    return info;
  }

  /** A free engine. It is to be given back. */
  take(): Engine {
    const engine = this.#free.shift();
    if (engine === undefined) throw new Error('more jobs run than there are engines');
    return engine;
  }

  give(engine: Engine): void {
    this.#free.push(engine);
  }

  /** One for pictures of steps, which go between the steps of a run: a free one where there is one. */
  any(): Engine {
    const engine = this.#free[0] ?? this.#all[0];
    if (engine === undefined) throw new Error('there is no engine');
    return engine;
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.close(graceMs)));
  }
}

/**
 * The loaded model. While it is still loading (the bot has just started) the interaction is
 * acknowledged first, for that may take longer than Discord waits.
 */
export async function modelOf(
  engines: EnginePool,
  exchange: Exchange,
  ephemeral: boolean,
): Promise<ModelInfo> {
  if (engines.info !== undefined) return engines.info;
  await exchange.defer(ephemeral);
  return engines.ready();
}

function firstReason(error: unknown): never {
  throw error instanceof AggregateError ? error.errors[0] : error;
}
