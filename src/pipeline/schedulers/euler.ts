// Euler's method on the probability flow ODE: Karras et al., arXiv 2206.00364, algorithm 2 without
// churn, over the sigmas that k-diffusion derives from a discrete-time model.

import { forwardProcess, trainSigmas } from './betas.js';
import type { SchedulerConfig } from './config.js';
import { combine, divide, f32, interpolate, linspace32, numpyLog32, sqrt32 } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSigmaSchedule, scheduledSigmas, sigmaToTimestep } from './sigmas.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps */
export function euler(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, { zeroSnr: true, floor: true });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const spacing = readSpacing(config, 'linspace');
  const { timesteps, sigmas } = noiseLevels(config, trainSteps, alphasCumprod, steps);

  return {
    flow: false,
    timesteps:
      config.choice('timestep_type', 'discrete', ['discrete', 'continuous']) === 'continuous' &&
      predictionType === 'v_prediction'
        ? Array.from(sigmas.subarray(0, -1), (sigma) => f32(0.25 * f32(Math.log(sigma))))
        : timesteps,
    initNoiseSigma: initialDeviation(sigmas, spacing === 'leading'),
    order: 1,
    scaleModelInput: (sample, i) => divide(sample, sqrt32(f32(f32(sigmas[i]! ** 2) + 1))),

    step(modelOutput, i, sample) {
      const sigma = sigmas[i]!;
      const x0 = predictOriginal(predictionType, modelOutput, sample, sigma);
      const derivative = divide(combine([1, sample], [-1, x0]), sigma);
      const previous = combine([1, sample], [f32(sigmas[i + 1]! - sigma), derivative]);
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

  const schedule = readSigmaSchedule(config);
  if (schedule !== undefined) {
    const min = config.optionalNumber('sigma_min') ?? levels.at(-1)!;
    const max = config.optionalNumber('sigma_max') ?? levels[0]!;
    levels = scheduledSigmas(schedule, min, max, n);
    timesteps = levels.map((sigma) => f32(sigmaToTimestep(sigma, logSigmas)));
  }

  const end = config.choice('final_sigmas_type', 'zero', ['zero', 'sigma_min']);
  return { timesteps, sigmas: Float32Array.from([...levels, end === 'zero' ? 0 : trained[0]!]) };
}

/** Standard deviation at the start: sigma_max, or sqrt(sigma_max^2 + 1) where x0 still shows. */
export function initialDeviation(sigmas: Float32Array, leading: boolean): number {
  const max = sigmas.reduce((a, b) => Math.max(a, b));
  return leading ? sqrt32(f32(f32(max * max) + 1)) : max;
}

/** x0 from what the model predicts, in the variance-exploding view (x = x0 + sigma * epsilon). */
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
