// Flux.1 (Black Forest Labs 2024): CLIP's pooled state and T5's tokens, a transformer over 2x2
// patches of latents that predicts a flow. Guidance is an input (dev) or absent (schnell); a negative
// prompt has an effect only with a true guidance scale above 1, as in diffusers (true_cfg_scale).

import { UserError } from '../../errors.js';
import { linspace } from '../schedulers/math.js';
import type { FloatTensor } from '../types.js';
import { compose, type Text } from './compose.js';
import { type Conditions, Denoiser, type Layout } from './denoiser.js';
import type { Conditioning, Family, FamilyLoader, FamilySource } from './family.js';
import { defaultsOf } from './layout.js';
import { PromptEncoder } from './prompt.js';
import { transformerParts } from './transformer.js';
import { Vae } from './vae.js';

export const flux: FamilyLoader = {
  name: 'flux',
  pipelines: ['FluxPipeline', 'FluxImg2ImgPipeline', 'FluxInpaintPipeline'],
  needs: [
    'hidden_states',
    'timestep',
    'encoder_hidden_states',
    'pooled_projections',
    'img_ids',
    'txt_ids',
  ],
  takes: ['guidance'],
  load,
};

/** tokens of T5, as diffusers' max_sequence_length */
const T5_LENGTH = 512;

/** [B, C, h, w] as [B, h w / 4, 4 C]: a token holds, per channel, a patch of 2 x 2. */
const PATCHES: Layout = {
  into(latents, dims) {
    const [batch, channels, height, width] = dims as [number, number, number, number];
    const places = placesInTokens(channels, height, width);
    const data = new Float32Array(latents.length);
    for (let from = 0; from < data.length; from += places.length) {
      for (let i = 0; i < places.length; i++) data[from + places[i]!] = latents[from + i]!;
    }
    return { data, dims: [batch, (height * width) / 4, 4 * channels] };
  },
  outOf(output, [, channels, height, width]) {
    const places = placesInTokens(channels!, height!, width!);
    const data = new Float32Array(output.length);
    for (let from = 0; from < data.length; from += places.length) {
      for (let i = 0; i < places.length; i++) data[from + i] = output[from + places[i]!]!;
    }
    return data;
  },
};

/** of the size that was asked for last: every step of a picture has the same */
let known = { size: '', places: new Uint32Array() };

/** Where each value of a sample [C, h, w] stands among its tokens. */
function placesInTokens(channels: number, height: number, width: number): Uint32Array {
  const size = `${channels} ${height} ${width}`;
  if (known.size === size) return known.places;
  const places = new Uint32Array(channels * height * width);
  const columns = width / 2;
  let plane = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const token = (y >> 1) * columns + (x >> 1);
        places[plane++] = (token * channels + c) * 4 + (y & 1) * 2 + (x & 1);
      }
    }
  }
  known = { size, places };
  return places;
}

async function load(source: FamilySource): Promise<Family> {
  const clip = await PromptEncoder.load(source, 'text_encoder', 'tokenizer', { layer: 'last' });
  const t5 = await PromptEncoder.load(source, 'text_encoder_2', 'tokenizer_2', {
    layer: 'last',
    length: T5_LENGTH,
  });
  const { inputs } = source.denoiser;
  const guided = inputs.has('guidance');
  const denoiser = new Denoiser(source.denoiser, {
    sample: 'hidden_states',
    perSample: true,
    layout: PATCHES,
    timestep: (t) => Math.fround(t / 1000),
  });
  const vae = await Vae.load(source, { scalingFactor: 0.3611, shifted: true });
  const parts = transformerParts(source, denoiser, vae, 2);
  const wide = Number(inputs.get('hidden_states')?.shape[2]);
  if (wide > 0 && wide !== 4 * parts.latentChannels) {
    throw new UserError(
      'model-unknown-family',
      `The model's transformer takes ${wide} values per token, where ${4 * parts.latentChannels} are supported; Flux models that take a picture beside the prompt are not.`,
    );
  }

  /** positions [S, 3], or [1, S, 3] where an older export wants a batch */
  const positions = (name: string, data: Float32Array): FloatTensor => ({
    data,
    dims: inputs.get(name)?.shape.length === 3 ? [1, data.length / 3, 3] : [data.length / 3, 3],
  });

  /** row and column of every patch, after a zero */
  function places(width: number, height: number): Float32Array {
    const [rows, columns] = [height / parts.sizeMultiple, width / parts.sizeMultiple];
    const data = new Float32Array(rows * columns * 3);
    for (let i = 0; i < rows * columns; i++) {
      data[3 * i + 1] = Math.floor(i / columns);
      data[3 * i + 2] = i % columns;
    }
    return data;
  }

  async function conditions({ text }: Text, request: Conditioning): Promise<Conditions> {
    const { pooled } = await clip.encode(text, request);
    if (pooled === undefined) throw new Error('text_encoder gives no pooler_output');
    const { hidden } = await t5.encodePlain(text, request);
    return {
      encoder_hidden_states: hidden,
      pooled_projections: pooled,
      txt_ids: positions('txt_ids', new Float32Array(3 * hidden.dims[1]!)),
      img_ids: positions('img_ids', places(request.width, request.height)),
      ...(guided && {
        guidance: { data: Float32Array.of(request.guidanceScale), dims: [1] },
      }),
    };
  }

  return compose({
    name: 'flux',
    parts,
    defaults: defaultsOf('flux', source.scheduler, guided),
    source,
    denoiser,
    vae,
    conditions,
    pairScale: ({ negativePrompt, trueGuidanceScale = 1 }) =>
      negativePrompt === '' ? 1 : trueGuidanceScale,
    schedule: (width, height, steps) => ({
      imageSequenceLength: (width / parts.sizeMultiple) * (height / parts.sizeMultiple),
      sigmas: linspace(1, 1 / steps, steps),
      flow: true,
    }),
  });
}
