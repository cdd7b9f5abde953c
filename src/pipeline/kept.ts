// Steps as the store keeps them: half precision, which no eye can tell from the original.

import { fromHalf, toHalf } from './fp16.js';
import type { FloatTensor, KeptStep, Step } from './types.js';

/** Values beyond 65519 become infinity, which no latents and no prediction here reach. */
export function toKept({ index, total, timestep, latents, predictedOriginal }: Step): KeptStep {
  return {
    index,
    total,
    timestep,
    dims: latents.dims.slice(1),
    latents: toHalf(latents.data),
    predictedOriginal: toHalf(predictedOriginal.data),
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
