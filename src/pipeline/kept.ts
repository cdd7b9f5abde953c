// Steps as the store keeps them: half precision, which no eye can tell from the original.

import { fromHalf, toHalf } from './fp16.js';
import type { FloatTensor, KeptStep, Step } from './types.js';

export function keepStep(step: Step): KeptStep {
  return {
    index: step.index,
    total: step.total,
    timestep: step.timestep,
    dims: step.latents.dims.slice(1),
    latents: toHalf(step.latents.data),
    predictedOriginal: toHalf(step.predictedOriginal.data),
  };
}

/** The tensor [1, C, h, w] of a kept step. */
export function keptTensor(step: KeptStep, show: 'prediction' | 'latents'): FloatTensor {
  const bits = show === 'prediction' ? step.predictedOriginal : step.latents;
  return { data: fromHalf(bits), dims: [1, ...step.dims] };
}
