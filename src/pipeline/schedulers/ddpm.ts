// DDPM: Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic Models", arXiv 2006.11239, algorithm 2,
// over any falling subset of the timesteps.

import { alphaAt, forwardProcess } from './betas.js';
import { readClipping } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import { mix, mixtureAt, readOriginal } from './estimates.js';
import { combine, exp32, f32, log32, sqrt32 } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps */
export function ddpm(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, {
    zeroSnr: true,
    moreSchedules: ['laplace', 'sigmoid'],
  });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const varianceType = config.choice('variance_type', 'fixed_small', VARIANCES);
  if (varianceType === 'fixed_large_log' || varianceType.startsWith('learned')) {
    config.reject('variance_type', '"fixed_small", "fixed_small_log" or "fixed_large"');
  }
  const clip = readClipping(config, true);
  const timesteps = spacedTimesteps(
    readSpacing(config, 'leading'),
    trainSteps,
    steps,
    config.integer('steps_offset', 0, 0),
    false,
  );
  const alphaOf = (i: number) => alphaAt(alphasCumprod, timesteps[i]!);
  const alphaAfter = (i: number) => ((timesteps[i + 1] ?? -1) < 0 ? 1 : alphaOf(i + 1));

  /** The standard deviation of equations 6 and 7. */
  function deviation(a: number, aPrevious: number): number {
    const beta = f32(1 - f32(a / aPrevious));
    if (varianceType === 'fixed_large') return sqrt32(beta);
    const small = f32(f32(f32(1 - aPrevious) / f32(1 - a)) * beta);
    const variance = Math.max(small, f32(1e-20));
    return varianceType === 'fixed_small' ? sqrt32(variance) : exp32(f32(0.5 * log32(variance)));
  }

  return {
    flow: false,
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample, noise) {
      const a = alphaOf(i);
      const aPrevious = alphaAfter(i);
      const b = f32(1 - a);
      const alpha = f32(a / aPrevious);

      const x0 = clip(readOriginal(predictionType, modelOutput, sample, mixtureAt(a)));

      // the mean of equation 7
      const c0 = f32(f32(sqrt32(aPrevious) * f32(1 - alpha)) / b);
      const ct = f32(f32(sqrt32(alpha) * f32(1 - aPrevious)) / b);
      const terms: [number, Float32Array][] = [
        [c0, x0],
        [ct, sample],
      ];
      if (timesteps[i]! > 0) terms.push([deviation(a, aPrevious), noise.randn([sample.length])]);
      const [first, ...rest] = terms;
      return { previous: combine(first!, ...rest), predictedOriginal: x0 };
    },

    addNoise(original, noise, i) {
      const a = alphaOf(i);
      return mix(original, noise, mixtureAt(a));
    },
    sigmaAfter(i) {
      const a = alphaAfter(i);
      return sqrt32(f32(f32(1 - a) / a));
    },
    state: () => ({}),
    restore: () => {},
  };
}

const VARIANCES = [
  'fixed_small',
  'fixed_small_log',
  'fixed_large',
  'fixed_large_log',
  'learned',
  'learned_range',
] as const;
