// Linear multistep (Adams-Bashforth) on the probability flow ODE, of order up to 4 over uneven
// sigmas: k-diffusion's sample_lms. Katherine Crowson; Liu et al., arXiv 2202.09778, section 3.

import type { SchedulerConfig } from './config.js';
import {
  initialDeviation,
  kSchedule,
  predictOriginal,
  scaleToModel,
  slope,
} from './k-diffusion.js';
import { combine, f32 } from './math.js';
import type { Scheduler } from './scheduler.js';

const ORDER = 4;

/** @param steps 1 to num_train_timesteps */
export function lms(config: SchedulerConfig, steps: number): Scheduler {
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const levels = kSchedule(config, steps, { fixedKarras: true });
  const sigmas = Float32Array.from([...levels.sigmas, 0]);
  /** slopes of the last calls, newest first */
  let slopes: Float32Array[] = [];

  return {
    flow: false,
    timesteps: levels.timesteps.map(f32),
    initNoiseSigma: initialDeviation(sigmas, config),
    order: 1,
    scaleModelInput: (sample, i) => scaleToModel(sample, sigmas[i]!),

    step(modelOutput, i, sample) {
      const x0 = predictOriginal(predictionType, modelOutput, sample, sigmas[i]!);
      slopes = [slope(sample, x0, sigmas[i]!), ...slopes].slice(0, ORDER);
      // A run that begins later has fewer slopes than the order says; like diffusers it leaves
      // out what is missing.
      const order = Math.min(i + 1, ORDER);
      const [first, ...rest] = slopes.map(
        (d, j) => [lagrangeIntegral(sigmas, i, order, j), d] as const,
      );
      const change = combine(first!, ...rest);
      return { previous: combine([1, sample], [1, change]), predictedOriginal: x0 };
    },

    addNoise: (original, noise, i) => combine([1, original], [sigmas[i]!, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ slopes: [...slopes] }),
    restore(state) {
      slopes = [...(state.slopes as readonly Float32Array[])];
    },
  };
}

/**
 * The integral from sigma_i to sigma_(i+1) of the Lagrange polynomial that is 1 at sigma_(i-j) and 0
 * at the other `order` newest sigmas. Gauss-Legendre with two points is exact up to degree 3.
 */
function lagrangeIntegral(sigmas: Float32Array, i: number, order: number, j: number): number {
  const basis = (tau: number) => {
    let product = 1;
    for (let k = 0; k < order; k++) {
      if (k !== j) product *= (tau - sigmas[i - k]!) / (sigmas[i - j]! - sigmas[i - k]!);
    }
    return product;
  };
  const middle = (sigmas[i]! + sigmas[i + 1]!) / 2;
  const half = (sigmas[i + 1]! - sigmas[i]!) / 2;
  const node = half / Math.sqrt(3);
  return half * (basis(middle - node) + basis(middle + node));
}
