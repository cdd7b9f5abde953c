// The safety checker that a directory may bring (the diffusers script exports it): whether it flags a
// picture. What becomes of a flagged one is the engine's to decide.

import { join } from 'node:path';
import sharp from 'sharp';
import { number, numbers, object } from './json.js';
import { type Graph, openGraph, readJson, type SessionOptions } from './session.js';
import type { RgbImage } from './types.js';

/** CLIP's own, where preprocessor_config.json says nothing else. */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];
const SIDE = 224;

export interface SafetyChecker {
  /** whether the picture is one that the checker was trained to find */
  flags(image: RgbImage): Promise<boolean>;
  release(): Promise<void>;
}

/** @throws UserError naming the file that is missing or damaged */
export async function loadSafetyChecker(
  root: string,
  session: SessionOptions,
): Promise<SafetyChecker> {
  const config = object(
    await readJson(root, join(root, 'feature_extractor', 'preprocessor_config.json'), true),
  );
  const side = sideOf(config.crop_size) ?? sideOf(config.size) ?? SIDE;
  const [mean, std] = [numbers(config.image_mean) ?? MEAN, numbers(config.image_std) ?? STD];
  const graph = await openGraph(root, join(root, 'safety_checker', 'model.onnx'), session);
  return {
    async flags(image) {
      const outputs = await graph.run({
        clip_input: await clipInput(graph, image, side, mean, std),
        ...(graph.inputs.has('images') && { images: wholeInput(graph, image) }),
      });
      const { has_nsfw_concepts: found } = outputs;
      if (found === undefined) throw new Error('the safety checker gave no has_nsfw_concepts');
      return Array.from(found.data as ArrayLike<unknown>).some((value) => Number(value) !== 0);
    },
    release: () => graph.release(),
  };
}

const sideOf = (size: unknown): number | undefined =>
  number(size) ?? number(object(size).shortest_edge) ?? number(object(size).height);

/** [1, 3, side, side]: the shorter side brought to `side`, the middle cut out, normalised. */
async function clipInput(
  graph: Graph,
  { data, width, height }: RgbImage,
  side: number,
  mean: readonly number[],
  std: readonly number[],
) {
  const pixels = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(side, side, { fit: 'cover', position: 'centre', kernel: 'cubic' })
    .raw()
    .toBuffer();
  const plane = side * side;
  const values = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++)
      values[c * plane + i] = (pixels[3 * i + c]! / 255 - mean[c]!) / std[c]!;
  }
  return graph.feed('clip_input', values, [1, 3, side, side]);
}

/** [1, H, W, 3] in [0, 1] */
function wholeInput(graph: Graph, { data, width, height }: RgbImage) {
  return graph.feed(
    'images',
    Float32Array.from(data, (value) => value / 255),
    [1, height, width, 3],
  );
}
