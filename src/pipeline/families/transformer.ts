// What the transformer families (sd3, flux) have in common.

import { number } from '../json.js';
import type { Denoiser } from './denoiser.js';
import type { FamilyParts, FamilySource } from './family.js';
import type { Vae } from './vae.js';

/** @param patch latents per side of one token of the transformer */
export function transformerParts(
  { denoiserConfig }: FamilySource,
  denoiser: Denoiser,
  vae: Vae,
  patch: number,
): FamilyParts {
  return {
    latentChannels: vae.latentChannels ?? 16,
    inpaintChannels: 0,
    vaeScale: vae.scale,
    sizeMultiple: vae.scale * patch,
    sampleSize: number(denoiserConfig.sample_size) ?? 128,
    scalingFactor: vae.scalingFactor,
    shiftFactor: vae.shiftFactor,
    precision: denoiser.precision,
  };
}
