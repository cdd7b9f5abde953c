// Steps as the store keeps them: half precision, which no eye can tell from the original.

import { fromHalf, toHalf } from './fp16.js';
import type { FloatTensor, KeptStep, Step } from './types.js';

/**
 * All but the latents, which the checkpoint of the step has. Values beyond 65519 become infinity, which
 * no prediction here reaches.
 */
export function toKeptPrediction(step: Step): Omit<KeptStep, 'latents'> {
  return {
    index: step.index,
    total: step.total,
    timestep: step.timestep,
    dims: step.latents.dims.slice(1),
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

/** Only the tensor that is to be shown: decoding halves takes time. */
export function keptTensor(step: KeptStep, show: 'prediction' | 'latents'): FloatTensor {
  const bits = show === 'prediction' ? step.predictedOriginal : step.latents;
  return { data: fromHalf(bits), dims: [1, ...step.dims] };
}
