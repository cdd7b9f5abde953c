// Euler's method on the probability flow ODE: Karras et al., arXiv 2206.00364, algorithm 2 without
// churn, over the sigmas that k-diffusion derives from a discrete-time model.

import { forwardProcess, trainSigmas } from './betas.js';
import type { SchedulerConfig } from './config.js';
import {
  initialDeviation,
  predictOriginal,
  reschedule,
  scaleToModel,
  slope,
} from './k-diffusion.js';
import { combine, f32, interpolate, linspace32, log32, numpyLog32 } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps */
export function euler(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, { zeroSnr: true, floor: true });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const { timesteps, sigmas } = noiseLevels(config, trainSteps, alphasCumprod, steps);

  return {
    flow: false,
    timesteps:
      config.choice('timestep_type', 'discrete', ['discrete', 'continuous']) === 'continuous' &&
      predictionType === 'v_prediction'
        ? Array.from(sigmas.subarray(0, -1), (sigma) => f32(0.25 * log32(sigma)))
        : timesteps,
    initNoiseSigma: initialDeviation(sigmas, config),
    order: 1,
    scaleModelInput: (sample, i) => scaleToModel(sample, sigmas[i]!),

    step(modelOutput, i, sample) {
      const sigma = sigmas[i]!;
      const x0 = predictOriginal(predictionType, modelOutput, sample, sigma);
      const dt = f32(sigmas[i + 1]! - sigma);
      const previous = combine([1, sample], [dt, slope(sample, x0, sigma)]);
      return { previous, predictedOriginal: x0 };
    },

    addNoise: (original, noise, i) => combine([1, original], [sigmas[i]!, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({}),
    restore: () => {},
  };
}

/** The timesteps [n] and the sigmas [n + 1 or more], the last being where the run ends. */
function noiseLevels(
  config: SchedulerConfig,
  trainSteps: number,
  alphasCumprod: Float32Array,
  n: number,
): { timesteps: number[]; sigmas: Float32Array } {
  const trained = trainSigmas(alphasCumprod);
  const logSigmas = trained.map(numpyLog32);
  let timesteps = spacedTimesteps(
    readSpacing(config, 'linspace'),
    trainSteps,
    n,
    config.integer('steps_offset', 0, 0),
    true,
  );

  let levels: number[];
  if (config.choice('interpolation_type', 'linear', ['linear', 'log_linear']) === 'linear') {
    levels = timesteps.map((t) => interpolate(t, trained));
  } else {
    const even = linspace32(logSigmas.at(-1)!, logSigmas[0]!, n + 1);
    levels = Array.from(even.map(Math.exp));
  }

  const replaced = reschedule(config, { timesteps, sigmas: levels }, n, logSigmas);
  if (replaced !== undefined) {
    levels = [...replaced.sigmas];
    timesteps = replaced.timesteps.map(f32);
  }

  const end = config.choice('final_sigmas_type', 'zero', ['zero', 'sigma_min']);
  return { timesteps, sigmas: Float32Array.from([...levels, end === 'zero' ? 0 : trained[0]!]) };
}
