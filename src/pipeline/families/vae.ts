// The VAE of a directory: latents to pixels, and pixels to latents where it has an encoder.

import { type Json, number, numbers } from '../json.js';
import type { NoiseGenerator } from '../noise/generator.js';
import type { Graph } from '../session.js';
import type { FloatTensor, RgbImage } from '../types.js';
import { Decoder } from './decoder.js';
import { Encoder } from './encoder.js';
import { type FamilySource, graph, json } from './family.js';

/** diffusers' AutoencoderKL without a scaling_factor */
const DEFAULT_SCALING = 0.18215;

export interface VaeOptions {
  /** where there is no configuration; one without the key means AutoencoderKL's default */
  readonly scalingFactor: number;
  /** heed latents_mean and latents_std, as diffusers' SDXL pipelines do and its SD ones do not */
  readonly normalised?: boolean;
  /** heed shift_factor, as diffusers' SD3 and Flux pipelines do and its others do not */
  readonly shifted?: boolean;
}

export class Vae {
  readonly latentChannels: number | undefined;
  /** px per latent */
  readonly scale: number;
  /** rows and columns of latents, where the decoder's graph takes no others */
  readonly fixedLatents: readonly [number, number] | undefined;
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  readonly #decoder: Decoder;
  /** absent where the directory has no vae_encoder/ */
  readonly encode:
    | ((pixels: FloatTensor, noise: NoiseGenerator) => Promise<FloatTensor>)
    | undefined;
  /** one sentence each: what of it has consequences for users */
  readonly warnings: readonly string[];
  /** per channel, of the unscaled latents */
  readonly #moments:
    | { readonly mean: readonly number[]; readonly std: readonly number[] }
    | undefined;

  private constructor(
    decoder: Decoder,
    encoder: Encoder | undefined,
    config: Json,
    scale: number,
    options: VaeOptions,
  ) {
    this.#decoder = decoder;
    const declared = Number(decoder.graph.inputs.get('latent_sample')?.shape[1]);
    this.latentChannels = number(config.latent_channels) ?? (declared > 0 ? declared : undefined);
    this.scale = scale;
    this.fixedLatents = fixedSize(decoder.graph);
    const usual = Object.keys(config).length === 0 ? options.scalingFactor : DEFAULT_SCALING;
    this.scalingFactor = number(config.scaling_factor) ?? usual;
    this.shiftFactor = options.shifted === true ? (number(config.shift_factor) ?? 0) : 0;
    const [mean, std] = [numbers(config.latents_mean), numbers(config.latents_std)];
    this.#moments =
      options.normalised && mean !== undefined && std !== undefined ? { mean, std } : undefined;
    this.warnings = encoder?.draws
      ? [
          'The vae_encoder draws its latents by itself: from an init image, one seed gives another picture each time.',
        ]
      : [];
    this.encode =
      encoder === undefined ? undefined : (pixels, noise) => this.#encode(encoder, pixels, noise);
  }

  /** @throws UserError naming the file that is missing or damaged */
  static async load(source: FamilySource, options: VaeOptions): Promise<Vae> {
    const config = {
      ...(await json(source, 'vae/config.json')),
      ...(await json(source, 'vae_decoder/config.json')),
    };
    const decoder = await graph(source, 'vae_decoder');
    const encoder = await Encoder.find(source);
    const levels = config.block_out_channels;
    const scale = Array.isArray(levels)
      ? 2 ** (levels.length - 1)
      : await measuredScale(decoder, Number(decoder.inputs.get('latent_sample')?.shape[1]));
    return new Vae(new Decoder(decoder, source), encoder, config, scale, options);
  }

  /**
   * The picture of scaled latents [1, C, h, w].
   * @param mayBeBlack absent: true; false: what is black alone is decoded again, more exactly
   * @throws UserError 'picture-not-finite'
   */
  async decode(latents: FloatTensor, mayBeBlack = true): Promise<RgbImage> {
    const unscaled = { data: this.#unscaled(latents), dims: latents.dims };
    return rgb(await this.#decoder.run(unscaled, mayBeBlack), (value) => value / 2 + 0.5);
  }

  #unscaled({ data, dims }: FloatTensor): Float32Array {
    const factor = Math.fround(this.scalingFactor); // as torch rounds a scalar
    if (this.#moments === undefined) {
      const shift = Math.fround(this.shiftFactor);
      const unscaled = new Float32Array(data.length);
      for (let i = 0; i < data.length; i++) unscaled[i] = Math.fround(data[i]! / factor) + shift;
      return unscaled;
    }
    const { mean, std } = this.#moments;
    const plane = dims[2]! * dims[3]!;
    return data.map((value, i) => {
      const c = Math.floor(i / plane);
      const wide = Math.fround(value * Math.fround(std[c]!));
      return Math.fround(wide / factor) + Math.fround(mean[c]!);
    });
  }

  async #encode(
    encoder: Encoder,
    pixels: FloatTensor,
    noise: NoiseGenerator,
  ): Promise<FloatTensor> {
    const { values, drawn } = await encoder.run(pixels);
    const latents = drawn ? values : sampled(values, noise);
    return { data: this.#scaled(latents), dims: latents.dims };
  }

  #scaled({ data, dims }: FloatTensor): Float32Array {
    const factor = Math.fround(this.scalingFactor); // as torch rounds a scalar
    if (this.#moments === undefined) {
      const shift = Math.fround(this.shiftFactor);
      return data.map((value) => Math.fround(value - shift) * factor);
    }
    const { mean, std } = this.#moments;
    const plane = dims[2]! * dims[3]!;
    return data.map((value, i) => {
      const c = Math.floor(i / plane);
      const centred = Math.fround(value - Math.fround(mean[c]!));
      return Math.fround(centred * factor) / Math.fround(std[c]!);
    });
  }
}

/** A draw from the Gaussian whose mean and log variance are the halves of [1, 2C, h, w]. */
function sampled({ data, dims }: FloatTensor, noise: NoiseGenerator): FloatTensor {
  const size = [1, dims[1]! / 2, dims[2]!, dims[3]!];
  const half = data.length / 2;
  const normal = noise.randn(size);
  const drawn = normal.map((value, i) => {
    const logvar = Math.min(20, Math.max(-30, data[half + i]!));
    const std = Math.fround(Math.exp(Math.fround(0.5 * logvar)));
    return data[i]! + Math.fround(std * value);
  });
  return { data: drawn, dims: size };
}

/** px per latent, where no configuration says it: the size of a decoded picture tells. */
async function measuredScale(decoder: Graph, declared: number): Promise<number> {
  const [rows, columns] = fixedSize(decoder) ?? [8, 8];
  const channels = declared > 0 ? declared : 4;
  const dims = [1, channels, rows, columns];
  const zeros = new Float32Array(channels * rows * columns);
  const outputs = await decoder.run({ latent_sample: decoder.feed('latent_sample', zeros, dims) });
  return Number(Object.values(outputs)[0]?.dims[2]) / rows;
}

/** Rows and columns that a graph exported for one size takes. */
function fixedSize(decoder: Graph): readonly [number, number] | undefined {
  const [, , rows, columns] = decoder.inputs.get('latent_sample')?.shape ?? [];
  return Number(rows) > 0 && Number(columns) > 0 ? [Number(rows), Number(columns)] : undefined;
}

/** [1, 3, H, W] to 8-bit RGB; `unit` maps the graph's range to [0, 1]. Rounds half to even, as numpy. */
export function rgb(image: FloatTensor, unit: (value: number) => number): RgbImage {
  const [, , height, width] = image.dims as [number, number, number, number];
  const plane = height * width;
  // Clamps to 0 and 255 and rounds half to even by itself; NaN becomes 0.
  const data = new Uint8ClampedArray(3 * plane);
  const values = image.data;
  for (let c = 0; c < 3; c++) {
    for (let from = c * plane, to = c; to < data.length; from++, to += 3) {
      data[to] = Math.fround(Math.fround(unit(values[from]!)) * 255);
    }
  }
  return { data: new Uint8Array(data.buffer), width, height };
}
