// Latent consistency models (Luo et al. 2023): Stable Diffusion whose UNet takes the guidance as an
// input and needs few steps. Negative prompts have no effect, as in diffusers.

import { compose, type Text } from './compose.js';
import { type Conditions, Denoiser } from './denoiser.js';
import type { Conditioning, Family, FamilyLoader, FamilySource } from './family.js';
import { defaultsOf } from './layout.js';
import { PromptEncoder } from './prompt.js';
import { sd } from './sd.js';
import { GuidanceInput, unetSizes } from './unet.js';
import { Vae } from './vae.js';

export const lcm: FamilyLoader = {
  name: 'lcm',
  pipelines: ['LatentConsistencyModelPipeline', 'LatentConsistencyModelImg2ImgPipeline'],
  needs: ['sample', 'timestep', 'encoder_hidden_states', 'timestep_cond'],
  load,
};

async function load(source: FamilySource): Promise<Family> {
  const encoder = await PromptEncoder.load(source, 'text_encoder', 'tokenizer', { layer: 'last' });
  const denoiser = new Denoiser(source.denoiser, { sample: 'sample' });
  const vae = await Vae.load(source, { scalingFactor: 0.18215 });
  const guidance = new GuidanceInput(source);
  return compose({
    name: 'lcm',
    // diffusers' Stable Diffusion pipelines paint with such a UNet too, by their own rules.
    scheduledAs: sd.pipelines.includes(source.className) ? 'sd' : 'lcm',
    parts: unetSizes(source, denoiser, vae, 'lcm').parts,
    defaults: defaultsOf('lcm', source.scheduler, true),
    source,
    denoiser,
    vae,
    conditions: async ({ text }: Text, request: Conditioning): Promise<Conditions> => ({
      encoder_hidden_states: (await encoder.encode(text, request)).hidden,
      ...guidance.conditions(request.guidanceScale),
    }),
    pairScale: () => 1,
  });
}
