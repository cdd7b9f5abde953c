// The engines there are, what they offer, and which of them is free. The queue runs no more jobs than
// engines, so a job always finds one.

import type { Exchange } from '../discord/exchange.js';
import { within } from '../discord/patience.js';
import type { Engine, ModelSummary, OfferedModel } from '../engine/types.js';
import type { ModelInfo } from '../pipeline/types.js';

/** ms after which an interaction is acknowledged before its model is known */
const SOON = 800;

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

  /** The default model; undefined while no engine has loaded it. */
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

  /** All models there are, the default first; loaded are those that any engine has loaded. */
  get models(): readonly ModelSummary[] {
    const [first, ...others] = this.#all.map((engine) => engine.models);
    return (first ?? []).map((model) => {
      if (!model.offered || model.loaded) return model;
      const loaded = others.some((models) => models.some((other) => isLoaded(other, model.name)));
      return { ...model, loaded };
    });
  }

  /** Those of them that paint, the default first. */
  get offered(): readonly OfferedModel[] {
    return this.models.filter((model) => model.offered);
  }

  /**
   * The model of a name, loaded or not; without a name, the default. Their files say what is to be
   * known of them, so nothing waits for one to be loaded.
   * @throws UserError 'model-unknown' that names those there are, 'model-unusable'
   */
  async model(name?: string): Promise<OfferedModel> {
    try {
      return await this.#first.model(name);
    } catch (error) {
      if (name !== undefined || this.info !== undefined) throw error;
      await this.ready(); // what is wrong with the default is for the engine to say
      return this.#first.model();
    }
  }

  get #first(): Engine {
    const [engine] = this.#all;
    if (engine === undefined) throw new Error('there is no engine');
    return engine;
  }

  /** A free engine, one that has the model loaded where there is one. It is to be given back. */
  take(model?: string): Engine {
    const engine = this.#best(model);
    if (engine === undefined) throw new Error('more jobs run than there are engines');
    this.#free.splice(this.#free.indexOf(engine), 1);
    return engine;
  }

  #best(model: string | undefined): Engine | undefined {
    const name = model ?? this.info?.name;
    const ready = this.#free.find((engine) => engine.models.some((m) => isLoaded(m, name)));
    return ready ?? this.#free[0];
  }

  give(engine: Engine): void {
    this.#free.push(engine);
  }

  /**
   * One for pictures of steps, which go between the steps of a run: a free one where there is one,
   * one that has their model loaded before others.
   */
  any(model?: string): Engine {
    return this.#best(model) ?? this.#first;
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#all.map((engine) => engine.close(graceMs)));
  }
}

/**
 * The model of a name, or the default one. Where that takes longer than Discord waits (the disk is
 * slow) the interaction is acknowledged first.
 * @throws UserError 'model-unknown', or what is wrong with the model
 */
export async function modelOf(
  engines: EnginePool,
  exchange: Exchange,
  ephemeral: boolean,
  name?: string,
): Promise<OfferedModel> {
  // As it was seen last: nothing is waited for before the answer. The engine looks again.
  const wanted = name?.toLowerCase();
  const known = engines.models.find((model) =>
    wanted === undefined ? model.isDefault : model.name.toLowerCase() === wanted,
  );
  if (known?.offered) return known;
  const found = engines.model(name);
  const soon = await within(SOON, found);
  if (soon !== undefined) return soon;
  await exchange.defer(ephemeral);
  return found;
}

function isLoaded(model: ModelSummary, name: string | undefined): boolean {
  return model.offered && model.loaded && model.name === name;
}

function firstReason(error: unknown): never {
  throw error instanceof AggregateError ? error.errors[0] : error;
}
