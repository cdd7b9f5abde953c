// What the schedulers from k-diffusion share: the variance-exploding view x = x0 + sigma epsilon of a
// discrete-time model (Karras et al., arXiv 2206.00364), its sigmas and what the model sees of it.

import { forwardProcess, trainSigmas } from './betas.js';
import type { SchedulerConfig } from './config.js';
import { combine, divide, f32, interpolate, numpyLog32, sqrt32 } from './math.js';
import { readSigmaSchedule, scheduledSigmas, sigmaToTimestep } from './sigmas.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** Falling levels of a run before its final 0, float64, and the fractional timestep of each. */
export interface NoiseLevels {
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
}

export interface KSchedule extends NoiseLevels {
  /** log sigma of training timestep 0 to T - 1 */
  readonly logSigmas: Float32Array;
  /** whether Karras, exponential or beta sigmas replaced the spaced ones */
  readonly rescheduled: boolean;
}

/** The levels of LMS, Heun and DPM2: spaced timesteps, or a named schedule between their ends. */
export function kSchedule(
  config: SchedulerConfig,
  n: number,
  options: Parameters<typeof forwardProcess>[1] & { readonly fixedKarras?: boolean } = {},
): KSchedule {
  const { trainSteps, alphasCumprod } = forwardProcess(config, options);
  const trained = trainSigmas(alphasCumprod);
  const logSigmas = trained.map(numpyLog32);
  const spacing = readSpacing(config, 'linspace');
  const offset = config.integer('steps_offset', 0, 0);
  const timesteps = spacedTimesteps(spacing, trainSteps, n, offset, true);
  const spaced = { timesteps, sigmas: timesteps.map((t) => interpolate(t, trained)) };
  const replaced = reschedule(config, spaced, n, logSigmas, options.fixedKarras);
  return { ...(replaced ?? spaced), logSigmas, rescheduled: replaced !== undefined };
}

/**
 * The levels that use_karras_sigmas and its like ask for, between the ends of `spaced` unless the
 * file has sigma_min and sigma_max.
 * @param fixedKarras the class heeds no sigma_min and sigma_max with Karras sigmas
 */
export function reschedule(
  config: SchedulerConfig,
  spaced: NoiseLevels,
  n: number,
  logSigmas: Float32Array,
  fixedKarras = false,
): NoiseLevels | undefined {
  const schedule = readSigmaSchedule(config);
  if (schedule === undefined) return undefined;
  const fixed = schedule === 'karras' && fixedKarras;
  const min = (fixed ? undefined : config.optionalNumber('sigma_min')) ?? spaced.sigmas.at(-1)!;
  const max = (fixed ? undefined : config.optionalNumber('sigma_max')) ?? spaced.sigmas[0]!;
  const sigmas = scheduledSigmas(schedule, min, max, n);
  return { timesteps: sigmas.map((sigma) => sigmaToTimestep(sigma, logSigmas)), sigmas };
}

/** Standard deviation at the start: sigma_max, or sqrt(sigma_max^2 + 1) where x0 still shows. */
export function initialDeviation(sigmas: Float32Array, config: SchedulerConfig): number {
  const max = sigmas.reduce((a, b) => Math.max(a, b));
  return readSpacing(config, 'linspace') === 'leading' ? sqrt32(f32(f32(max * max) + 1)) : max;
}

/** The sample as a variance-preserving model knows it: x / sqrt(sigma^2 + 1). */
export const scaleToModel = (sample: Float32Array, sigma: number): Float32Array =>
  divide(sample, sqrt32(f32(f32(sigma * sigma) + 1)));

/** x0 from what the model predicts. */
export function predictOriginal(
  predictionType: 'epsilon' | 'v_prediction' | 'sample',
  modelOutput: Float32Array,
  sample: Float32Array,
  sigma: number,
): Float32Array {
  if (predictionType === 'sample') return Float32Array.from(modelOutput);
  if (predictionType === 'epsilon') return combine([1, sample], [-sigma, modelOutput]);
  const variance = f32(f32(sigma * sigma) + 1);
  return combine([-sigma / sqrt32(variance), modelOutput], [1, divide(sample, variance)]);
}

/** d = (x - x0) / sigma, the slope of the probability flow ODE. */
export const slope = (sample: Float32Array, x0: Float32Array, sigma: number): Float32Array =>
  divide(combine([1, sample], [-1, x0]), sigma);

/**
 * An ancestral step between two sigmas: down to where fresh noise of deviation `up` leads to `to`
 * (Song et al., arXiv 2011.13456). Where float32 cannot tell down from 0, its exact to^2 / from.
 */
export function ancestral(from: number, to: number): { up: number; down: number } {
  const [from2, to2] = [f32(from * from), f32(to * to)];
  if (to2 === 0) return { up: 0, down: 0 };
  const up = sqrt32(f32(f32(to2 * f32(from2 - to2)) / from2));
  const down2 = f32(to2 - f32(up * up));
  return { up, down: down2 > 0 ? sqrt32(down2) : f32(to2 / from) };
}
