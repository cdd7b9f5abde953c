// Steps as the store keeps them: half precision, which no eye can tell from the original.

import { fromHalf, toHalf } from './fp16.js';
import type { EvolutionOptions, FloatTensor, KeptStep, Step } from './types.js';

export function toKept(step: Step): KeptStep {
  return {
    index: step.index,
    total: step.total,
    timestep: step.timestep,
    dims: step.latents.dims.slice(1),
    latents: toHalf(step.latents.data),
    predictedOriginal: toHalf(step.predictedOriginal.data),
  };
}

/** The tensors [1, C, h, w] of a kept step. */
export function fromKept(step: KeptStep): {
  readonly latents: FloatTensor;
  readonly predictedOriginal: FloatTensor;
} {
  const dims = [1, ...step.dims];
  return {
    latents: { data: fromHalf(step.latents), dims },
    predictedOriginal: { data: fromHalf(step.predictedOriginal), dims },
  };
}

/** The tensor that an evolution shows. */
export function shownTensor(step: KeptStep, show: EvolutionOptions['show']): FloatTensor {
  const { latents, predictedOriginal } = fromKept(step);
  return show === 'prediction' ? predictedOriginal : latents;
}
