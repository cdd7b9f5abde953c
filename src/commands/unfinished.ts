// What a restart finds unfinished, and what is left to do for each picture of it.

import type { OfferedModel } from '../engine/types.js';
import { UserError } from '../errors.js';
import type { Generation } from '../store/types.js';
import type { EnginePool } from './engines.js';
import { modelName } from './facts.js';

/** A picture that an earlier process promised and did not deliver. */
export interface Unfinished {
  /** its model's own; empty where the model is gone */
  readonly scheduler: string;
  /** paint it, deliver the end that it has had, or tell its owner why it cannot be painted */
  readonly left: 'painting' | 'delivery' | { readonly hindrance: unknown };
}

/** Looks at one: its model may be gone, or be another since. */
export async function lookAt(generation: Generation, engines: EnginePool): Promise<Unfinished> {
  const found = engines.model(generation.parameters.model);
  const model: unknown = await found.catch((error: unknown) => error);
  const scheduler = isOffered(model) ? model.defaultScheduler : '';
  return { scheduler, left: leftOf(generation, model) };
}

function leftOf({ state, model: painter }: Generation, model: unknown): Unfinished['left'] {
  if (state !== 'queued' && state !== 'running') return 'delivery';
  if (!isOffered(model)) return { hindrance: model };
  if (painter === modelName(model)) return 'painting';
  const changed = 'The model was changed before this picture began.';
  return { hindrance: new UserError('model-changed', changed) };
}

function isOffered(model: unknown): model is OfferedModel {
  return typeof model === 'object' && model !== null && 'offered' in model;
}
