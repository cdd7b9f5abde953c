// Weights on what a text encoder gave: A1111's "Original" emphasis.

import type { FloatTensor } from '../types.js';

/**
 * Each token's embedding times its weight, then all of them scaled so that the mean over the whole
 * tensor is what it was before. Weights that are all 1 change nothing.
 * @param embedding [1, S, D]
 * @param weights S numbers
 */
export function emphasise(embedding: FloatTensor, weights: readonly number[]): FloatTensor {
  if (weights.every((weight) => weight === 1)) return embedding;
  const [, length, width] = embedding.dims as [number, number, number];
  const { data, dims } = embedding;
  const weighted = new Float32Array(data.length);
  for (let s = 0; s < length; s++) {
    const weight = Math.fround(weights[s]!);
    for (let i = s * width; i < (s + 1) * width; i++) weighted[i] = data[i]! * weight;
  }
  const [before, after] = [mean(data), mean(weighted)];
  // Nothing to scale by where the weights cancel out.
  const scale = after === 0 ? 1 : Math.fround(before / after);
  return { data: weighted.map((value) => value * scale), dims };
}

const mean = (values: Float32Array): number =>
  Math.fround(values.reduce((sum, value) => sum + value, 0) / values.length);

/** Embeddings [1, S, D] one after the other, [1, sum of S, D]. */
export function concatenate(parts: readonly FloatTensor[]): FloatTensor {
  const [first, ...rest] = parts as readonly [FloatTensor, ...FloatTensor[]];
  if (rest.length === 0) return first;
  const length = parts.reduce((sum, { dims }) => sum + dims[1]!, 0);
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, dims: [1, length, first.dims[2]!] };
}
