// Stable Diffusion 1.x and 2.x: CLIP text encoder, UNet with cross-attention, VAE.

import { compose, type Text } from './compose.js';
import { type Conditions, Denoiser } from './denoiser.js';
import type { Conditioning, Family, FamilyLoader, FamilySource } from './family.js';
import { defaultsOf } from './layout.js';
import { PromptEncoder } from './prompt.js';
import { probeUnet, unetSizes } from './unet.js';
import { Vae } from './vae.js';

export const sd: FamilyLoader = {
  name: 'sd',
  pipelines: [
    'StableDiffusionPipeline',
    'StableDiffusionImg2ImgPipeline',
    'StableDiffusionInpaintPipeline',
    'StableDiffusionInpaintPipelineLegacy',
  ],
  needs: ['sample', 'timestep', 'encoder_hidden_states'],
  load,
};

async function load(source: FamilySource): Promise<Family> {
  const encoder = await PromptEncoder.load(source, 'text_encoder', 'tokenizer', { layer: 'last' });
  const denoiser = new Denoiser(source.denoiser, { sample: 'sample' });
  const vae = await Vae.load(source, { scalingFactor: 0.18215 });
  const sizes = unetSizes(source, denoiser, vae, 'sd');
  const conditions = async ({ text }: Text, request: Conditioning): Promise<Conditions> => ({
    encoder_hidden_states: (await encoder.encode(text, request)).hidden,
  });
  await probeUnet(denoiser, sizes, conditions);
  return compose({
    name: 'sd',
    parts: sizes.parts,
    defaults: defaultsOf('sd', source.scheduler, false),
    source,
    denoiser,
    vae,
    conditions,
    pairScale: ({ guidanceScale }) => guidanceScale,
  });
}
