// Stable Diffusion 1.x and 2.x: CLIP text encoder, UNet with cross-attention, VAE decoder.

import { join } from 'node:path';
import { UserError } from '../../errors.js';
import type { NoisePredictor } from '../denoise.js';
import { floats, type Graph, openGraph, readJson, type SessionOptions } from '../session.js';
import { loadTokenizer, type PromptTokenizer } from '../tokenizer.js';
import type { FloatTensor, RgbImage } from '../types.js';

type Json = Record<string, unknown>;
const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const number = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

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
    const declared = sample.shape[1];
    const latentChannels =
      number(unetConfig.in_channels) ??
      number(vaeConfig.latent_channels) ??
      (typeof declared === 'number' ? declared : 4);
    const blocks = Array.isArray(vaeConfig.block_out_channels)
      ? vaeConfig.block_out_channels.length
      : 4;
    const levels = Array.isArray(unetConfig.block_out_channels)
      ? unetConfig.block_out_channels.length
      : 4;
    const vaeScale = 2 ** (blocks - 1);
    const sampleSize = number(unetConfig.sample_size) ?? 64;
    const model = new StableDiffusion(
      {
        latentChannels,
        vaeScale,
        sizeMultiple: Math.max(8, vaeScale),
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
    await model.#probe(Math.max(sampleSize, 2 ** (levels - 1)));
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
    if (guidanceScale <= 1) return (sample, t) => this.#call(sample, dims, t, conditional);
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

  /** Three generations of exports: [batch] (diffusers' script), ["steps"], and rank 0 (Optimum). */
  #timestep(t: number, batch: number) {
    const shape = this.#unet.inputs.get('timestep')!.shape;
    if (shape.length === 0) return this.#unet.feed('timestep', [t], []);
    const perSample = typeof shape[0] === 'string' && /batch/i.test(shape[0]);
    const count = perSample ? batch : 1;
    return this.#unet.feed('timestep', Array<number>(count).fill(t), [count]);
  }

  /**
   * Settles whether guidance runs as one batch of two: only where that is clearly faster and gives the
   * very same bits, so that the choice cannot show in any picture.
   */
  async #probe(side: number): Promise<void> {
    const dims = [1, this.parts.latentChannels, side, side];
    const sample = new Float32Array(dims.reduce((a, b) => a * b)).map((_, i) => Math.sin(i));
    const [a, b] = [await this.encodePrompt(''), await this.encodePrompt('a')];
    await this.#call(sample, dims, 500, a); // the first call pays for the arena
    const begun = performance.now();
    const one = [
      await this.#call(sample, dims, 500, a),
      await this.#call(sample, dims, 500, b),
    ] as const;
    const apart = performance.now() - begun;
    if (apart > 4000) return; // slow models gain nothing from a batch on a CPU, and start sooner
    await this.#callBoth(sample, dims, 500, a, b);
    const again = performance.now();
    const two = await this.#callBoth(sample, dims, 500, a, b);
    const together = performance.now() - again;
    const same = two.every((values, k) => values.every((value, i) => value === one[k]![i]));
    this.#batched = same && together < 0.95 * apart;
  }
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
