// Stable Diffusion 1.x and 2.x: CLIP text encoder, UNet with cross-attention, VAE decoder.

import { join } from 'node:path';
import type { Tensor } from 'onnxruntime-node';
import { UserError } from '../../errors.js';
import type { NoisePredictor } from '../denoise.js';
import { TorchGenerator } from '../noise/torch.js';
import { floats, type Graph, openGraph, readJson, type SessionOptions } from '../session.js';
import { loadTokenizer, type PromptTokenizer } from '../tokenizer.js';
import type { FloatTensor, RgbImage } from '../types.js';

type Json = Record<string, unknown>;
const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const number = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

/**
 * ms of two model calls beyond which a batch is not tried: it gains nothing where a call fills the
 * processor, and the trial would delay the start.
 */
const SLOW_CALLS = 300;
/** Prompts whose embeddings are kept. */
const CACHED_PROMPTS = 64;

export interface SdParts {
  readonly latentChannels: number;
  /** px per latent */
  readonly vaeScale: number;
  /** px: the VAE's scale times the UNet's own downsampling */
  readonly sizeMultiple: number;
  /** latents per side that the model was trained on */
  readonly sampleSize: number;
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  readonly precision: string;
}

export class StableDiffusion {
  readonly parts: SdParts;
  readonly #tokenizer: PromptTokenizer;
  readonly #textEncoder: Graph;
  readonly #unet: Graph;
  readonly #vae: Graph;
  readonly #embeddings = new Map<string, FloatTensor>();
  /** guidance in one batch of two; settled at load */
  #batched = false;
  /** of the run in progress, for models that take it as an input */
  #guidance = 1;
  /** called with the ms of every UNet call */
  onUnet: (ms: number) => void = () => {};

  private constructor(
    parts: SdParts,
    tokenizer: PromptTokenizer,
    textEncoder: Graph,
    unet: Graph,
    vae: Graph,
  ) {
    this.parts = parts;
    this.#tokenizer = tokenizer;
    this.#textEncoder = textEncoder;
    this.#unet = unet;
    this.#vae = vae;
  }

  /** @throws UserError naming the file that is missing or damaged */
  static async load(root: string, options: SessionOptions): Promise<StableDiffusion> {
    const json = async (path: string) => object(await readJson(root, join(root, path), true));
    const [unetConfig, vaeConfig, textConfig] = [
      await json('unet/config.json'),
      { ...(await json('vae/config.json')), ...(await json('vae_decoder/config.json')) },
      await json('text_encoder/config.json'),
    ];
    const graph = (part: string) => openGraph(root, join(root, part, 'model.onnx'), options);
    const tokenizer = await loadTokenizer(root, number(textConfig.max_position_embeddings));
    const textEncoder = await graph('text_encoder');
    const unet = await graph('unet');
    const vae = await graph('vae_decoder');
    const sample = unet.inputs.get('sample');
    if (
      sample === undefined ||
      !unet.inputs.has('timestep') ||
      !unet.inputs.has('encoder_hidden_states')
    ) {
      throw new UserError(
        'model-unknown-family',
        "The model's unet/model.onnx is not a Stable Diffusion UNet.",
      );
    }
    // A graph with free dimensions declares names or -1 instead of sizes.
    const size = (value: unknown) => (Number(value) > 0 ? Number(value) : undefined);
    const latentChannels =
      size(sample.shape[1]) ??
      number(unetConfig.in_channels) ??
      number(vaeConfig.latent_channels) ??
      4;
    const levels = Array.isArray(unetConfig.block_out_channels)
      ? unetConfig.block_out_channels.length
      : 4;
    const vaeScale = Array.isArray(vaeConfig.block_out_channels)
      ? 2 ** (vaeConfig.block_out_channels.length - 1)
      : await measuredScale(vae, latentChannels);
    const sampleSize = number(unetConfig.sample_size) ?? size(sample.shape[2]) ?? 64;
    // Exported graphs have the UNet's halvings and doublings fixed: each level halves evenly.
    const sizeMultiple = vaeScale * 2 ** (levels - 1);
    const model = new StableDiffusion(
      {
        latentChannels,
        vaeScale,
        sizeMultiple,
        sampleSize,
        scalingFactor: number(vaeConfig.scaling_factor) ?? 0.18215,
        shiftFactor: number(vaeConfig.shift_factor) ?? 0,
        precision: sample.type === 'float16' ? 'fp16' : 'fp32',
      },
      tokenizer,
      textEncoder,
      unet,
      vae,
    );
    await model.#probe(sampleSize, 2 ** (levels - 1));
    return model;
  }

  /** Prompt embeddings [1, S, D]; cached. */
  async encodePrompt(prompt: string): Promise<FloatTensor> {
    const known = this.#embeddings.get(prompt);
    if (known !== undefined) {
      this.#embeddings.delete(prompt);
      this.#embeddings.set(prompt, known);
      return known;
    }
    const ids = this.#tokenizer.encode(prompt);
    const outputs = await this.#textEncoder.run({
      input_ids: this.#textEncoder.feed('input_ids', ids, [1, ids.length]),
    });
    const embedding = floats(outputs.last_hidden_state, 'last_hidden_state');
    this.#embeddings.set(prompt, embedding);
    if (this.#embeddings.size > CACHED_PROMPTS) {
      for (const oldest of this.#embeddings.keys()) {
        this.#embeddings.delete(oldest);
        break;
      }
    }
    return embedding;
  }

  /**
   * Classifier-free guidance (Ho and Salimans 2022): e = e_u + s (e_c - e_u). At scale 1 only the
   * conditional estimate is made.
   */
  async predictor(
    prompt: string,
    negativePrompt: string,
    guidanceScale: number,
    dims: readonly number[],
  ): Promise<NoisePredictor> {
    const conditional = await this.encodePrompt(prompt);
    this.#guidance = guidanceScale;
    // A distilled model takes the guidance as an input instead of a second estimate.
    if (guidanceScale <= 1 || this.#unet.inputs.has('timestep_cond'))
      return (sample, t) => this.#call(sample, dims, t, conditional);
    const unconditional = await this.encodePrompt(negativePrompt);
    const scale = Math.fround(guidanceScale);
    return async (sample, t) => {
      const [uncond, cond] = this.#batched
        ? await this.#callBoth(sample, dims, t, unconditional, conditional)
        : [
            await this.#call(sample, dims, t, unconditional),
            await this.#call(sample, dims, t, conditional),
          ];
      const guided = new Float32Array(cond.length);
      for (let i = 0; i < guided.length; i++) {
        const difference = Math.fround(cond[i]! - uncond[i]!);
        guided[i] = uncond[i]! + Math.fround(scale * difference);
      }
      return guided;
    };
  }

  /** The image of scaled latents [1, C, h, w], by the full VAE. */
  async decode(latents: FloatTensor): Promise<RgbImage> {
    const { scalingFactor, shiftFactor } = this.parts;
    const z = latents.data.map((value) => Math.fround(value / scalingFactor) + shiftFactor);
    const outputs = await this.#vae.run({
      latent_sample: this.#vae.feed('latent_sample', z, latents.dims),
    });
    return rgb(
      floats(outputs.sample ?? Object.values(outputs)[0], 'sample'),
      (value) => value / 2 + 0.5,
    );
  }

  async release(): Promise<void> {
    await Promise.all([this.#textEncoder.release(), this.#unet.release(), this.#vae.release()]);
  }

  async #call(
    sample: Float32Array,
    dims: readonly number[],
    t: number,
    context: FloatTensor,
  ): Promise<Float32Array> {
    const begun = performance.now();
    const outputs = await this.#unet.run({
      sample: this.#unet.feed('sample', sample, dims),
      timestep: this.#timestep(t, dims[0]!),
      encoder_hidden_states: this.#unet.feed('encoder_hidden_states', context.data, context.dims),
      ...this.#timestepCond(dims[0]!),
    });
    this.onUnet(performance.now() - begun);
    return floats(outputs.out_sample ?? Object.values(outputs)[0], 'out_sample').data;
  }

  async #callBoth(
    sample: Float32Array,
    dims: readonly number[],
    t: number,
    first: FloatTensor,
    second: FloatTensor,
  ): Promise<[Float32Array, Float32Array]> {
    const both = await this.#call(double(sample, sample), [2, ...dims.slice(1)], t, {
      data: double(first.data, second.data),
      dims: [2, ...first.dims.slice(1)],
    });
    return [both.subarray(0, sample.length), both.subarray(sample.length)];
  }

  /**
   * Latent consistency models (Luo et al. 2023): the guidance w - 1 as a sinusoidal embedding
   * [B, time_cond_proj_dim], half sines and half cosines of 1000 (w - 1) at falling frequencies.
   */
  #timestepCond(batch: number): Record<string, Tensor> {
    const declared = this.#unet.inputs.get('timestep_cond');
    if (declared === undefined) return {};
    const width = Number(declared.shape[1]) > 0 ? Number(declared.shape[1]) : 256;
    const half = width >> 1;
    const values = new Float32Array(batch * width);
    for (let i = 0; i < half; i++) {
      const angle = 1000 * (this.#guidance - 1) * Math.exp((-i * Math.log(10000)) / (half - 1));
      for (let b = 0; b < batch; b++) {
        values[b * width + i] = Math.sin(angle);
        values[b * width + half + i] = Math.cos(angle);
      }
    }
    return { timestep_cond: this.#unet.feed('timestep_cond', values, [batch, width]) };
  }

  /** Three generations of exports: [batch] (diffusers' script), ["steps"], and rank 0 (Optimum). */
  #timestep(t: number, batch: number) {
    const shape = this.#unet.inputs.get('timestep')!.shape;
    if (shape.length === 0) return this.#unet.feed('timestep', [t], []);
    const perSample = typeof shape[0] === 'string' && /batch/i.test(shape[0]);
    const count = perSample ? batch : 1;
    return this.#unet.feed('timestep', Array<number>(count).fill(t), [count]);
  }

  /**
   * Settles whether guidance runs as one batch of two: only where that is clearly faster and gives
   * the very same bits at two sizes, so that the choice cannot show in any picture.
   * @param side latents per side that the model was trained on
   * @param least latents per side that the UNet can halve as often as it does
   */
  async #probe(side: number, least: number): Promise<void> {
    const [a, b] = [await this.encodePrompt(''), await this.encodePrompt('a')];
    const both = (height: number, width: number) => {
      const dims = [1, this.parts.latentChannels, height, width];
      const sample = new TorchGenerator(0).randn(dims);
      return {
        apart: async () =>
          [await this.#call(sample, dims, 500, a), await this.#call(sample, dims, 500, b)] as const,
        together: () => this.#callBoth(sample, dims, 500, a, b),
      };
    };
    const small = both(2 * least, 2 * least);
    await small.apart(); // the first calls pay for the arena
    const estimate = (await timed(small.apart)) * (side / (2 * least)) ** 2;
    if (estimate > SLOW_CALLS) return;
    const [wide, square] = [both(2 * least, 4 * least), both(side, side)];
    for (const { apart, together } of [wide, square]) {
      const [one, two] = [await apart(), await together()];
      if (!two.every((values, k) => values.every((value, i) => value === one[k]![i]))) return;
    }
    let [slow, fast] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < 3; round++) {
      slow = Math.min(slow, await timed(square.apart));
      fast = Math.min(fast, await timed(square.together));
    }
    this.#batched = fast < 0.95 * slow;
  }
}

/** ms */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** px per latent, where no configuration says it: the size of a decoded picture tells. */
async function measuredScale(vae: Graph, channels: number): Promise<number> {
  const side = 8;
  const dims = [1, channels, side, side];
  const zeros = new Float32Array(channels * side * side);
  const outputs = await vae.run({ latent_sample: vae.feed('latent_sample', zeros, dims) });
  return Number(Object.values(outputs)[0]?.dims[2]) / side;
}

function double(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** [1, 3, H, W] to 8-bit RGB; `unit` maps the graph's range to [0, 1]. Rounds half to even, as numpy. */
export function rgb(image: FloatTensor, unit: (value: number) => number): RgbImage {
  const [, , height, width] = image.dims as [number, number, number, number];
  const plane = height * width;
  const data = new Uint8Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = level(unit(image.data[c * plane + i]!));
  }
  return { data, width, height };
}

function level(value: number): number {
  const scaled = Math.fround(Math.min(1, Math.max(0, Math.fround(value))) * 255);
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
