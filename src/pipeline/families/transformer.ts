// What the transformer families (sd3, flux) have in common.

import { number } from '../json.js';
import type { Denoiser } from './denoiser.js';
import type { FamilyParts, FamilySource } from './family.js';
import type { Vae } from './vae.js';

/** @param patch latents per side of one token of the transformer */
export function transformerParts(
  { denoiserConfig, denoiser: graph }: FamilySource,
  denoiser: Denoiser,
  vae: Vae,
  patch: number,
): FamilyParts {
  const declared = graph.inputs.get('hidden_states')?.shape ?? [];
  const side = declared.length === 4 && Number(declared[2]) > 0 ? Number(declared[2]) : undefined;
  return {
    latentChannels: vae.latentChannels ?? 16,
    inpaintChannels: 0,
    vaeScale: vae.scale,
    sizeMultiple: vae.scale * patch,
    sampleSize: number(denoiserConfig.sample_size) ?? side ?? 128,
    ...(vae.fixedLatents && { fixedLatents: vae.fixedLatents }),
    scalingFactor: vae.scalingFactor,
    shiftFactor: vae.shiftFactor,
    precision: denoiser.precision,
  };
}
