// DPM-Solver-2 over k-diffusion's sigmas: Karras et al., arXiv 2206.00364, algorithm 2 with the
// midpoint in log sigma instead of the end, as in Lu et al., arXiv 2206.00927. An Euler step to the
// midpoint, then from the start with the slope found there; the last step is Euler's: 2 n - 1 calls.

import type { SchedulerConfig } from './config.js';
import {
  initialDeviation,
  type KSchedule,
  kSchedule,
  predictOriginal,
  scaleToModel,
  slope,
} from './k-diffusion.js';
import { combine, exp32, f32, log32, roundHalfEven } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSigmaSchedule, sigmaToTimestep32 } from './sigmas.js';

/** @param steps 1 to num_train_timesteps */
export function dpm2(config: SchedulerConfig, steps: number): Scheduler {
  const predictionType = config.predictionType(['epsilon', 'v_prediction']);
  const levels = kSchedule(config, steps, { betaStart: 0.00085, betaEnd: 0.012 });
  const sigmas = Float32Array.from([...levels.sigmas, 0]);
  // midpoints[k] lies between sigma k - 1 and sigma k; there is none before the first
  const midpoints = sigmas.map((sigma, k) => (k === 0 ? NaN : middle(sigma, sigmas[k - 1]!)));
  // one entry per call, as in diffusers: the first call of a step has an even number
  const level = doubled(sigmas);
  const between = doubled(midpoints);
  /** x at the start of the step whose second call comes next */
  let start: Float32Array | null = null;

  return {
    flow: false,
    timesteps: timestepsOfCalls(config, levels, midpoints.subarray(1)),
    initNoiseSigma: initialDeviation(sigmas, config),
    order: 2,
    scaleModelInput: (sample, i) => scaleToModel(sample, start === null ? level[i]! : between[i]!),

    step(modelOutput, i, sample) {
      if (start === null) {
        const sigma = level[i]!;
        const x0 = predictOriginal(predictionType, modelOutput, sample, sigma);
        const dt = f32(between[i + 1]! - sigma);
        start = Float32Array.from(sample);
        const previous = combine([1, sample], [dt, slope(sample, x0, sigma)]);
        return { previous, predictedOriginal: x0 };
      }
      const sigma = between[i]!;
      const x0 = predictOriginal(predictionType, modelOutput, sample, sigma);
      const dt = f32(level[i]! - level[i - 1]!);
      const previous = combine([1, start], [dt, slope(sample, x0, sigma)]);
      start = null;
      return { previous, predictedOriginal: x0 };
    },

    addNoise: (original, noise, i) => combine([1, original], [level[i]!, noise]),
    sigmaAfter: (i) => (start === null ? level[i + 1] : between[i + 1]),
    state: () => ({ start: [start] }),
    restore(state) {
      [start = null] = state.start as readonly (Float32Array | null)[];
    },
  };
}

/** The midpoint of two sigmas in log sigma, with torch's roundings; 0 when one of them is 0. */
export const middle = (from: number, to: number): number => {
  const end = log32(to);
  return from === 0 || to === 0 ? 0 : exp32(f32(end - f32(f32(end - log32(from)) * 0.5)));
};

/** a, b, b, c, c, ..., z, z, z */
export const doubled = (values: Float32Array): Float32Array =>
  Float32Array.from([...values].flatMap((v, k) => (k === 0 ? [v] : [v, v])).concat(values.at(-1)!));

/** The timestep of each call: the levels' own and, between two, the one that the midpoint lies at. */
export function timestepsOfCalls(
  config: SchedulerConfig,
  { timesteps, logSigmas, rescheduled }: KSchedule,
  midpoints: Float32Array,
): number[] {
  // whole timesteps with Karras sigmas, though not at the midpoints
  const round = readSigmaSchedule(config) === 'karras' ? roundHalfEven : (t: number) => t;
  const own = timesteps.map(rescheduled ? round : f32);
  return own.flatMap((t, k) =>
    k === 0 ? [t] : [sigmaToTimestep32(midpoints[k - 1]!, logSigmas), t],
  );
}
