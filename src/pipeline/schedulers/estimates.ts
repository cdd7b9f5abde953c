// What a model says, read as x0 or as epsilon, by x = alpha x0 + sigma epsilon; and that mixture made.

import { combine, divide, f32, sqrt32 } from './math.js';

export type Prediction = 'epsilon' | 'v_prediction' | 'sample' | 'flow_prediction';

/** How much of x is x0 and how much is epsilon. */
export interface Mixture {
  readonly alpha: number;
  readonly sigma: number;
}

/** @param a the cumulative product of alphas (DDPM, arXiv 2006.11239, equation 4) */
export const mixtureAt = (a: number): Mixture => ({
  alpha: sqrt32(a),
  sigma: sqrt32(f32(1 - a)),
});

/** x of x0 and epsilon. */
export const mix = (x0: Float32Array, epsilon: Float32Array, at: Mixture): Float32Array =>
  combine([at.alpha, x0], [at.sigma, epsilon]);

/**
 * x0 from what the model says at a point of the schedule; a copy.
 * @param sigma of a flow model, where the schedule's differs from the mixture's
 */
export function readOriginal(
  type: Prediction,
  output: Float32Array,
  x: Float32Array,
  at: Mixture,
  sigma = at.sigma,
): Float32Array {
  if (type === 'epsilon') return originalFrom(output, x, at);
  if (type === 'sample') return Float32Array.from(output);
  if (type === 'v_prediction') return combine([at.alpha, x], [-at.sigma, output]);
  return combine([1, x], [-sigma, output]);
}

/** epsilon from what the model says at a point of the schedule; a copy. */
export function readEpsilon(
  type: Exclude<Prediction, 'flow_prediction'>,
  output: Float32Array,
  x: Float32Array,
  at: Mixture,
): Float32Array {
  if (type === 'epsilon') return Float32Array.from(output);
  if (type === 'sample') return epsilonFrom(output, x, at);
  return combine([at.alpha, output], [at.sigma, x]);
}

export const originalFrom = (epsilon: Float32Array, x: Float32Array, at: Mixture): Float32Array =>
  divide(combine([1, x], [-at.sigma, epsilon]), at.alpha);

export const epsilonFrom = (x0: Float32Array, x: Float32Array, at: Mixture): Float32Array =>
  divide(combine([1, x], [-at.alpha, x0]), at.sigma);
