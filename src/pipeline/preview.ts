// Cheap pictures of latents: a tiny decoder where the model brings one, else a linear map to RGB.

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Family } from './families/family.js';
import { rgb } from './families/vae.js';
import { knownMap, type LinearMap, SD_MAP, SD3_MAP } from './latent-rgb.js';
import { TorchGenerator } from './noise/torch.js';
import { floats, type Graph, openGraph, readJson, type SessionOptions } from './session.js';
import type { FloatTensor, RgbImage } from './types.js';

export interface Previewer {
  readonly kind: 'decoder' | 'linear' | 'vae';
  /** a picture of scaled latents [1, C, h, w] */
  draw(latents: FloatTensor): Promise<RgbImage>;
  /** frees what it has opened for itself */
  release?(): Promise<void>;
}

/** ms that a full decode may take to count as cheap */
const CHEAP_DECODE = 40;
const DECODERS = ['preview_decoder', 'taesd_decoder', 'taesd', 'vae_decoder_tiny'];

export async function loadPreviewer(
  root: string,
  model: Family,
  options: SessionOptions,
): Promise<Previewer> {
  for (const folder of DECODERS) {
    const path = join(root, folder, 'model.onnx');
    if (!(await exists(path))) continue;
    const graph = await openGraph(root, path, options);
    const channels = Number([...graph.inputs.values()][0]?.shape[1]);
    if (channels > 0 && channels !== model.parts.latentChannels) {
      // of another model: its pictures would mean nothing
      await graph.release();
      continue;
    }
    const config = await readJson(root, join(root, folder, 'config.json'), true);
    return tinyDecoder(graph, config);
  }
  const { parts } = model;
  const given = linearMap(
    await readJson(root, join(root, 'preview.json'), true),
    parts.latentChannels,
  );
  if (given !== undefined) return linear(given);
  const known = knownMap(parts.latentChannels, parts.vaeScale, parts.scalingFactor);
  const side = Math.min(16, parts.sampleSize);
  const [rows, columns] = parts.fixedLatents ?? [side, side];
  // Whole pictures alone can be decoded: that is not cheap, and the map is known.
  if (known !== undefined && rows * columns > 16 ** 2) return linear(known);
  const small = noise(parts.latentChannels, rows, columns);
  await model.decode(small); // the first decode pays for the arena
  const begun = performance.now();
  const image = await model.decode(small);
  const area = parts.sampleSize ** 2 / (rows * columns);
  if ((performance.now() - begun) * area < CHEAP_DECODE)
    return { kind: 'vae', draw: (latents) => model.decode(latents) };
  return linear(known ?? fitLinear(small, image));
}

/**
 * The linear map alone, without a model: as the directory's preview.json has it, else as it is known
 * for latents of so many channels, else the first three channels as red, green and blue.
 */
export async function plainPreviewer(
  root: string | undefined,
  channels: number,
): Promise<Previewer> {
  if (root !== undefined) {
    const json = await readJson(root, join(root, 'preview.json'), true).catch(() => undefined);
    const given = linearMap(json, channels);
    if (given !== undefined) return linear(given);
  }
  if (channels === 4) return linear(SD_MAP);
  if (channels === 16) return linear(SD3_MAP);
  const factors = Array.from({ length: channels }, (_, k) => [0, 1, 2].map((c) => +(k === c) / 2));
  return linear({ factors, bias: [0, 0, 0] });
}

function noise(channels: number, rows: number, columns: number): FloatTensor {
  const dims = [1, channels, rows, columns];
  return { data: new TorchGenerator(0).randn(dims), dims };
}

function tinyDecoder(graph: Graph, config: unknown): Previewer {
  const input = [...graph.inputs.keys()][0]!;
  const { sample_range: range, _class_name: kind } = (config ?? {}) as Record<string, unknown>;
  // diffusers' AutoencoderTiny gives [-1, 1], TAESD itself [0, 1].
  const signed = Array.isArray(range) ? Number(range[0]) < 0 : kind === 'AutoencoderTiny';
  return {
    kind: 'decoder',
    async draw(latents) {
      const outputs = await graph.run({ [input]: graph.feed(input, latents.data, latents.dims) });
      return rgb(
        floats(Object.values(outputs)[0], 'image'),
        signed ? (v) => v / 2 + 0.5 : (v) => v,
      );
    },
    release: () => graph.release(),
  };
}

function linear({ factors, bias }: LinearMap): Previewer {
  return {
    kind: 'linear',
    async draw({ data, dims }) {
      const [, channels, height, width] = dims as [number, number, number, number];
      const plane = height * width;
      const out = new Float32Array(3 * plane);
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < plane; i++) {
          let sum = bias[c] ?? 0;
          for (let k = 0; k < channels; k++) sum += factors[k]![c]! * data[k * plane + i]!;
          out[c * plane + i] = sum;
        }
      }
      return rgb({ data: out, dims: [1, 3, height, width] }, (value) => value / 2 + 0.5);
    },
  };
}

function linearMap(json: unknown, channels: number): LinearMap | undefined {
  const { latent_rgb_factors: factors, latent_rgb_bias: bias } = (json ?? {}) as Record<
    string,
    unknown
  >;
  if (!Array.isArray(factors) || factors.length !== channels) return undefined;
  return {
    factors: factors as number[][],
    bias: Array.isArray(bias) ? (bias as number[]) : [0, 0, 0],
  };
}

/** Least squares from latents to the mean colour of the pixels that each of them covers. */
function fitLinear(latents: FloatTensor, image: RgbImage): LinearMap {
  const [, channels, height, width] = latents.dims as [number, number, number, number];
  const size = channels + 1;
  const normal = Array.from({ length: size }, () => new Float64Array(size + 3));
  const scale = image.width / width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = new Float64Array(size + 3);
      for (let k = 0; k < channels; k++) row[k] = latents.data[(k * height + y) * width + x]!;
      row[channels] = 1;
      for (let c = 0; c < 3; c++) row[size + c] = meanColour(image, x * scale, y * scale, scale, c);
      for (let i = 0; i < size; i++)
        for (let j = 0; j < size + 3; j++) normal[i]![j]! += row[i]! * row[j]!;
    }
  }
  for (let i = 0; i < size; i++) normal[i]![i]! += 1e-3;
  solve(normal, size);
  const at = (k: number) => [0, 1, 2].map((c) => normal[k]![size + c]!);
  return { factors: Array.from({ length: channels }, (_, k) => at(k)), bias: at(channels) };
}

function meanColour(image: RgbImage, left: number, top: number, size: number, c: number): number {
  let sum = 0;
  for (let y = top; y < top + size; y++) {
    for (let x = left; x < left + size; x++) sum += image.data[3 * (y * image.width + x) + c]!;
  }
  return sum / (size * size) / 127.5 - 1;
}

/** Gauss-Jordan elimination with pivoting, in place. */
function solve(rows: Float64Array[], size: number): void {
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let r = i + 1; r < size; r++)
      if (Math.abs(rows[r]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = r;
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    const head = rows[i]!;
    const lead = head[i]!;
    for (let j = i; j < head.length; j++) head[j]! /= lead;
    for (let r = 0; r < size; r++) {
      const factor = rows[r]![i]!;
      if (r !== i) for (let j = i; j < head.length; j++) rows[r]![j]! -= factor * head[j]!;
    }
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
