// Heun's method on the probability flow ODE: Karras et al., arXiv 2206.00364, algorithm 2 without
// churn. An Euler step, then a second call at its end, and the mean of both slopes; the last step,
// to sigma 0, is Euler's alone: 2 n - 1 calls.

import { readClipping } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import {
  initialDeviation,
  kSchedule,
  predictOriginal,
  scaleToModel,
  slope,
} from './k-diffusion.js';
import { combine, divide, f32 } from './math.js';
import type { Scheduler } from './scheduler.js';

/** @param steps 1 to num_train_timesteps */
export function heun(config: SchedulerConfig, steps: number): Scheduler {
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const clip = readClipping(config, false);
  const levels = kSchedule(config, steps, {
    betaStart: 0.00085,
    betaEnd: 0.012,
    moreSchedules: ['exp'],
  });
  const [first, ...rest] = levels.sigmas;
  // one entry per call: both calls of a step end at the same level
  const sigmas = Float32Array.from([first!, ...rest.flatMap((sigma) => [sigma, sigma]), 0]);
  /** the first half of a step; null between steps */
  let begun: { x: Float32Array; derivative: Float32Array; dt: number } | null = null;

  return {
    flow: false,
    timesteps: levels.timesteps.flatMap((t, k) => (k === 0 ? [f32(t)] : [f32(t), f32(t)])),
    initNoiseSigma: initialDeviation(sigmas, config),
    order: 2,
    scaleModelInput: (sample, i) => scaleToModel(sample, sigmas[i]!),

    step(modelOutput, i, sample) {
      const sigma = sigmas[i]!;
      const x0 = clip(predictOriginal(predictionType, modelOutput, sample, sigma));
      const derivative = slope(sample, x0, sigma);
      const predictedOriginal = Float32Array.from(x0);
      if (begun === null) {
        const dt = f32(sigmas[i + 1]! - sigma);
        begun = { x: Float32Array.from(sample), derivative, dt };
        return { previous: combine([1, sample], [dt, derivative]), predictedOriginal };
      }
      const { x, derivative: earlier, dt } = begun;
      begun = null;
      const mean = divide(combine([1, earlier], [1, derivative]), 2);
      return { previous: combine([1, x], [dt, mean]), predictedOriginal };
    },

    addNoise: (original, noise, i) => combine([1, original], [sigmas[i]!, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ begun: [begun?.x ?? null, begun?.derivative ?? null], dt: begun?.dt ?? null }),
    restore(state) {
      const [x, derivative] = state.begun as readonly (Float32Array | null)[];
      begun = x && derivative ? { x, derivative, dt: state.dt as number } : null;
    },
  };
}
