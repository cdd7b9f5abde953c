// Stable Diffusion XL (Podell et al. 2023): two text encoders, a pooled embedding and the picture's
// size as further inputs of the UNet. The refiner has the second encoder alone and takes a score.

import { UserError } from '../../errors.js';
import type { FloatTensor } from '../types.js';
import { compose, type Text } from './compose.js';
import { type Conditions, Denoiser } from './denoiser.js';
import {
  type Conditioning,
  type Family,
  type FamilyLoader,
  type FamilySource,
  hasGraph,
} from './family.js';
import { defaultsOf } from './layout.js';
import { PromptEncoder } from './prompt.js';
import { joinFeatures, zerosLike } from './tensors.js';
import { GuidanceInput, probeUnet, unetSizes } from './unet.js';
import { Vae } from './vae.js';

export const sdxl: FamilyLoader = {
  name: 'sdxl',
  pipelines: [
    'StableDiffusionXLPipeline',
    'StableDiffusionXLImg2ImgPipeline',
    'StableDiffusionXLInpaintPipeline',
  ],
  needs: ['sample', 'timestep', 'encoder_hidden_states', 'text_embeds', 'time_ids'],
  takes: ['timestep_cond'],
  load,
};

/** What diffusers tells a refiner of the picture that it shall paint, and of the one that it shall not. */
const AESTHETIC_SCORE = { prompt: 6, negative: 2.5 } as const;

async function load(source: FamilySource): Promise<Family> {
  const encoders: PromptEncoder[] = [];
  if (await hasGraph(source, 'text_encoder')) {
    encoders.push(
      await PromptEncoder.load(source, 'text_encoder', 'tokenizer', { layer: 'penultimate' }),
    );
  } else if (listed(source, 'text_encoder')) {
    throw new UserError('model-file-missing', 'The model lacks text_encoder/model.onnx.', {
      file: 'text_encoder/model.onnx',
    });
  }
  const last = await PromptEncoder.load(source, 'text_encoder_2', 'tokenizer_2', {
    layer: 'penultimate',
  });
  encoders.push(last);
  // diffusers takes the pooled state of the first encoder that projects, which most models' first
  // does not.
  const pooling = encoders.find(({ graph }) => graph.outputs.has('text_embeds')) ?? last;
  const denoiser = new Denoiser(source.denoiser, { sample: 'sample' });
  const vae = await Vae.load(source, { scalingFactor: 0.13025, normalised: true });
  const sizes = unetSizes(source, denoiser, vae, 'sdxl', 128);
  const guidance = new GuidanceInput(source);
  const zeros = source.index.force_zeros_for_empty_prompt !== false;
  const scored =
    source.denoiser.inputs.get('time_ids')?.shape[1] === 5 ||
    source.index.requires_aesthetics_score === true;

  async function embeddings(text: string, request: Conditioning): Promise<Conditions> {
    const states = [];
    for (const encoder of encoders) states.push(await encoder.encode(text, request));
    const pooled = states[encoders.indexOf(pooling)]!.pooled;
    if (pooled === undefined) throw new Error('text_encoder_2 gives no text_embeds');
    return {
      encoder_hidden_states: joinFeatures(states.map(({ hidden }) => hidden)),
      text_embeds: pooled,
    };
  }

  async function conditions({ role, text }: Text, request: Conditioning): Promise<Conditions> {
    let embedded = await embeddings(text, request);
    // No negative prompt is not the same as an empty one: nothing at all is shown to the UNet.
    if (role === 'negative' && text === '' && zeros) {
      embedded = Object.fromEntries(
        Object.entries(embedded).map(([name, tensor]) => [name, zerosLike(tensor)]),
      );
    }
    const { width, height } = request;
    const ids = [height, width, 0, 0, ...(scored ? [AESTHETIC_SCORE[role]] : [height, width])];
    return {
      ...embedded,
      time_ids: row(ids),
      ...guidance.conditions(request.guidanceScale),
    };
  }

  if (!guidance.present) await probeUnet(denoiser, sizes, conditions);
  return compose({
    name: 'sdxl',
    parts: sizes.parts,
    defaults: defaultsOf('sdxl', source.scheduler, guidance.present),
    source,
    denoiser,
    vae,
    conditions,
    pairScale: ({ guidanceScale }) => (guidance.present ? 1 : guidanceScale),
  });
}

/** Whether model_index.json says that the directory has this part. */
function listed({ index }: FamilySource, part: string): boolean {
  const entry = index[part];
  return Array.isArray(entry) && entry[0] !== null;
}

const row = (values: readonly number[]): FloatTensor => ({
  data: Float32Array.from(values),
  dims: [1, values.length],
});
