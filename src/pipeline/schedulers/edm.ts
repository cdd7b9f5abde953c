// Models trained as Karras et al. propose (EDM, arXiv 2206.00364, table 1): continuous sigma, a
// preconditioned network, time told as log(sigma) / 4. Playground v2.5 is one. With Euler's method,
// or DPM-Solver++ multistep.

import { readThresholding } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import type { DpmAlgorithm, Level } from './dpm.js';
import { multistepSolver } from './dpm-multistep.js';
import { slope } from './k-diffusion.js';
import { combine, exp32, f32, linspace, linspace32, log32, sqrt32 } from './math.js';
import type { Scheduler } from './scheduler.js';

/** @param steps 1 to num_train_timesteps */
export function edmEuler(config: SchedulerConfig, steps: number): Scheduler {
  const { sigmaMin, sigmaMax, rho, exponential, endsAtZero, ...common } = readEdm(config);
  const levels = exponential
    ? exponentialSigmas(sigmaMin, sigmaMax, steps)
    : Float32Array.from(karras(sigmaMin, sigmaMax, rho, linspace(0, 1, steps), (x) => x));
  const sigmas = Float32Array.from([...levels, endsAtZero ? 0 : levels.at(-1)!]);

  return {
    ...common.frame(sigmas),
    step(modelOutput, i, sample) {
      const sigma = sigmas[i]!;
      const x0 = common.original(modelOutput, sample, sigma);
      const dt = f32(sigmas[i + 1]! - sigma);
      const previous = combine([1, sample], [dt, slope(sample, x0, sigma)]);
      return { previous, predictedOriginal: x0 };
    },
    state: () => ({}),
    restore: () => {},
  };
}

/** @param steps 1 to num_train_timesteps */
export function edmDpmSolverMultistep(config: SchedulerConfig, steps: number): Scheduler {
  const { sigmaMin, sigmaMax, rho, exponential, endsAtZero, ...common } = readEdm(config);
  const order = config.integer('solver_order', 2, 1, 3);
  const named = config.choice('algorithm_type', 'dpmsolver++', [
    'dpmsolver++',
    'sde-dpmsolver++',
    'deis',
  ]);
  const algorithm: DpmAlgorithm = named === 'deis' ? 'dpmsolver++' : named;
  if (order === 3 && algorithm === 'sde-dpmsolver++') {
    config.reject('solver_order', '1 or 2 with algorithm_type "sde-dpmsolver++"');
  }
  const solver = config.choice('solver_type', 'midpoint', [
    'midpoint',
    'heun',
    'logrho',
    'bh1',
    'bh2',
  ]);
  const solverType = solver === 'heun' ? 'heun' : 'midpoint';
  const threshold = readThresholding(config);
  const sigmasOfSteps = exponential
    ? exponentialSigmas(sigmaMin, sigmaMax, steps)
    : Float32Array.from(karras(sigmaMin, sigmaMax, rho, linspace32(0, 1, steps), f32));
  const sigmas = Float32Array.from([...sigmasOfSteps, endsAtZero ? 0 : sigmaMin]);
  // inputs are scaled before they reach the model, so that alpha is 1
  const levels = Array.from(sigmas, (sigma): Level => ({ alpha: 1, sigma, lambda: -log32(sigma) }));

  return {
    ...common.frame(sigmas),
    ...multistepSolver(
      config,
      { order, algorithm, solverType, endsAtZero },
      levels,
      (out, i, x) => {
        const x0 = threshold(common.original(out, x, sigmas[i]!));
        return { m: x0, x0 };
      },
    ),
  };
}

function readEdm(config: SchedulerConfig) {
  const sigmaMin = config.number('sigma_min', 0.002, 0);
  const sigmaMax = config.number('sigma_max', 80, 0);
  if (!(sigmaMin > 0 && sigmaMax > sigmaMin))
    config.reject('sigma_min', 'above 0, below sigma_max');
  const data = config.number('sigma_data', 0.5, 0);
  const data2 = f32(data ** 2);
  const predictionType = config.predictionType(['epsilon', 'v_prediction']);
  const variance = (sigma: number) => f32(f32(sigma * sigma) + data2);

  return {
    sigmaMin,
    sigmaMax,
    rho: config.number('rho', 7, 1),
    exponential:
      config.choice('sigma_schedule', 'karras', ['karras', 'exponential']) === 'exponential',
    endsAtZero: config.choice('final_sigmas_type', 'zero', ['zero', 'sigma_min']) === 'zero',

    /** D(x) = c_skip x + c_out F(c_in x) */
    original(output: Float32Array, x: Float32Array, sigma: number): Float32Array {
      const skip = f32(data2 / variance(sigma));
      const out = f32(f32(sigma * f32(data)) / sqrt32(variance(sigma)));
      return combine([skip, x], [predictionType === 'epsilon' ? out : -out, output]);
    },

    /** what does not depend on the solver */
    frame: (sigmas: Float32Array) => ({
      flow: false,
      timesteps: Array.from(sigmas.subarray(0, -1), (sigma) => f32(0.25 * log32(sigma))),
      initNoiseSigma: f32(Math.sqrt(sigmaMax ** 2 + 1)),
      order: 1,
      scaleModelInput: (sample: Float32Array, i: number) =>
        combine([f32(1 / sqrt32(variance(sigmas[i]!))), sample]),
      addNoise: (original: Float32Array, noise: Float32Array, i: number) =>
        combine([1, original], [sigmas[i]!, noise]),
      sigmaAfter: (i: number) => sigmas[i + 1],
    }),
  };
}

/** Equation 5, falling, over a ramp from 0 to 1. */
function karras(
  min: number,
  max: number,
  rho: number,
  ramp: ArrayLike<number>,
  round: (x: number) => number,
): number[] {
  const from = max ** (1 / rho);
  const change = round(min ** (1 / rho) - from);
  return Array.from(ramp, (r) => round(round(round(from) + round(r * change)) ** rho));
}

/** Even in log sigma, falling; float32. */
const exponentialSigmas = (min: number, max: number, n: number): Float32Array =>
  linspace32(Math.log(min), Math.log(max), n).map(exp32).reverse();
