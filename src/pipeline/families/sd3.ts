// Stable Diffusion 3 and 3.5 (Esser et al. 2024): two CLIP encoders and T5, a transformer that
// predicts a flow. Without T5 its tokens are zeros, as in diffusers.

import { UserError } from '../../errors.js';
import { number } from '../json.js';
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
import { joinFeatures, joinTokens, joinVectors } from './tensors.js';
import { transformerParts } from './transformer.js';
import { Vae } from './vae.js';

export const sd3: FamilyLoader = {
  name: 'sd3',
  pipelines: [
    'StableDiffusion3Pipeline',
    'StableDiffusion3Img2ImgPipeline',
    'StableDiffusion3InpaintPipeline',
  ],
  needs: ['hidden_states', 'timestep', 'encoder_hidden_states', 'pooled_projections'],
  load,
};

/** tokens of T5, as diffusers' max_sequence_length */
const T5_LENGTH = 256;

async function load(source: FamilySource): Promise<Family> {
  const first = await PromptEncoder.load(source, 'text_encoder', 'tokenizer', {
    layer: 'penultimate',
    severalVectors: false,
  });
  const second = await PromptEncoder.load(source, 'text_encoder_2', 'tokenizer_2', {
    layer: 'penultimate',
    severalVectors: false,
    length: first.tokenizer.length,
  });
  const third = await t5(source);
  const { denoiserConfig: config } = source;
  const denoiser = new Denoiser(source.denoiser, { sample: 'hidden_states', perSample: true });
  const vae = await Vae.load(source, { scalingFactor: 1.5305, shifted: true });
  const patch = number(config.patch_size) ?? 2;
  const parts = transformerParts(source, denoiser, vae, patch);
  const joint = source.denoiser.inputs.get('encoder_hidden_states')?.shape[2];
  const width = Number(joint) > 0 ? Number(joint) : (number(config.joint_attention_dim) ?? 4096);
  const silence: FloatTensor = {
    data: new Float32Array(T5_LENGTH * width),
    dims: [1, T5_LENGTH, width],
  };

  async function conditions({ text }: Text, request: Conditioning): Promise<Conditions> {
    const [one, two] = [await first.encode(text, request), await second.encode(text, request)];
    if (one.pooled === undefined || two.pooled === undefined)
      throw new Error('a text encoder gives no text_embeds');
    const long = third === undefined ? silence : (await third.encodePlain(text, request)).hidden;
    const clip = joinFeatures([one.hidden, two.hidden], long.dims[2]!);
    return {
      encoder_hidden_states: joinTokens(clip, long),
      pooled_projections: joinVectors(one.pooled, two.pooled),
    };
  }

  const plain = { prompt: '', negativePrompt: '', guidanceScale: 1, width: 0, height: 0 };
  await denoiser.probe(
    parts.latentChannels,
    parts.sampleSize,
    Math.min(8, parts.sampleSize / 2),
    await conditions({ role: 'negative', text: '' }, plain),
    await conditions({ role: 'prompt', text: 'a' }, plain),
  );
  const positions = number(config.pos_embed_max_size);
  return compose({
    name: 'sd3',
    parts,
    defaults: defaultsOf('sd3', source.scheduler, false),
    source,
    ...(third === undefined && {
      warnings: ['The model has no text_encoder_3 (T5): long prompts have less effect.'],
    }),
    denoiser,
    vae,
    conditions,
    pairScale: ({ guidanceScale }) => guidanceScale,
    schedule: (w, h) => {
      const side = parts.vaeScale * patch;
      const imageSequenceLength = Math.floor(h / side) * Math.floor(w / side);
      return { imageSequenceLength, maxShift: 1.16, flow: true };
    },
    ...(positions !== undefined && { maxSide: positions * patch * parts.vaeScale }),
  });
}

/** T5, unless model_index.json says that the model goes without. */
async function t5(source: FamilySource): Promise<PromptEncoder | undefined> {
  const entry = source.index.text_encoder_3;
  const listed = Array.isArray(entry) && entry[0] !== null;
  if (await hasGraph(source, 'text_encoder_3')) {
    return PromptEncoder.load(source, 'text_encoder_3', 'tokenizer_3', {
      layer: 'last',
      length: T5_LENGTH,
      severalVectors: false,
    });
  }
  if (!listed) return undefined;
  throw new UserError(
    'model-file-missing',
    'The model lacks text_encoder_3/model.onnx; to do without it, write "text_encoder_3": [null, null] in model_index.json.',
    { file: 'text_encoder_3/model.onnx' },
  );
}
