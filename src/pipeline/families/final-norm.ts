// The last layer norm of a text encoder, learnt from what its graph gives before and after it: clip
// skip applies it to an earlier layer, and exported graphs do not say its weights by name.

import type { FloatTensor } from '../types.js';

/** y = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each token [D] of [1, S, D]. */
export interface LayerNorm {
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

/** CLIP's layer_norm_eps, in all of its sizes */
const EPSILON = 1e-5;

/**
 * Fits the norm that leads from `before` to `after`, both [1, S, D], by least squares over the tokens
 * of each channel.
 * @returns undefined where no layer norm explains it
 */
export function fitLayerNorm(before: FloatTensor, after: FloatTensor): LayerNorm | undefined {
  const [, tokens, width] = before.dims as [number, number, number];
  if (after.data.length !== before.data.length) return undefined;
  const x = standardised(before.data, tokens, width);
  const y = after.data;
  const scale = new Float32Array(width);
  const shift = new Float32Array(width);
  let [worst, largest] = [0, 0];
  for (let d = 0; d < width; d++) {
    let [sx, sy] = [0, 0];
    for (let i = d; i < x.length; i += width) {
      sx += x[i]!;
      sy += y[i]!;
    }
    const [mx, my] = [sx / tokens, sy / tokens];
    let [xx, xy] = [0, 0];
    for (let i = d; i < x.length; i += width) {
      xx += (x[i]! - mx) ** 2;
      xy += (x[i]! - mx) * (y[i]! - my);
    }
    const slope = xx === 0 ? 0 : xy / xx;
    scale[d] = slope;
    shift[d] = my - slope * mx;
    for (let i = d; i < x.length; i += width) {
      worst = Math.max(worst, Math.abs(slope * x[i]! + my - slope * mx - y[i]!));
      largest = Math.max(largest, Math.abs(y[i]!));
    }
  }
  // fp16 graphs leave a thousandth; a graph that gives something else is far off.
  return worst <= 0.005 * largest ? { scale, shift } : undefined;
}

/** The norm on states [1, S, D]. */
export function applyLayerNorm({ scale, shift }: LayerNorm, states: FloatTensor): FloatTensor {
  const [, tokens, width] = states.dims as [number, number, number];
  const x = standardised(states.data, tokens, width);
  const data = Float32Array.from(x, (value, i) => value * scale[i % width]! + shift[i % width]!);
  return { data, dims: states.dims };
}

/** float64, mean 0 and variance 1 over each token's channels */
function standardised(data: Float32Array, tokens: number, width: number): Float64Array {
  const out = new Float64Array(data.length);
  for (let s = 0; s < tokens; s++) {
    const row = data.subarray(s * width, (s + 1) * width);
    const mean = row.reduce((sum, value) => sum + value, 0) / width;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const root = Math.sqrt(variance + EPSILON);
    for (let d = 0; d < width; d++) out[s * width + d] = (row[d]! - mean) / root;
  }
  return out;
}
