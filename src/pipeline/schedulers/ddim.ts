// DDIM with eta 0: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", arXiv 2010.02502.

import { forwardProcess } from './betas.js';
import type { SchedulerConfig } from './config.js';
import { clamp, combine, divide, dynamicThreshold, f32, sqrt32 } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps */
export function ddim(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, { zeroSnr: true });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const limit = config.flag('clip_sample', true)
    ? config.number('clip_sample_range', 1)
    : undefined;
  const thresholding = config.flag('thresholding', false);
  const ratio = config.number('dynamic_thresholding_ratio', 0.995, 0, 1);
  const max = config.number('sample_max_value', 1);
  const finalAlpha = config.flag('set_alpha_to_one', true) ? 1 : alphasCumprod[0]!;
  const timesteps = spacedTimesteps(
    readSpacing(config, 'leading'),
    trainSteps,
    steps,
    config.integer('steps_offset', 0, 0),
    false,
  );

  const alphaAt = (t: number) => alphasCumprod.at(t) ?? alphasCumprod.at(-1)!;
  const alphaBefore = (t: number) => {
    const previous = t - Math.floor(trainSteps / steps);
    return previous >= 0 ? alphaAt(previous) : finalAlpha;
  };

  return {
    flow: false,
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample) {
      const a = alphaAt(timesteps[i]!);
      const aPrevious = alphaBefore(timesteps[i]!);
      const sqrtA = sqrt32(a);
      const sqrtB = sqrt32(f32(1 - a));

      let x0: Float32Array;
      let epsilon: Float32Array;
      if (predictionType === 'epsilon') {
        epsilon = modelOutput;
        x0 = divide(combine([1, sample], [-sqrtB, epsilon]), sqrtA);
      } else if (predictionType === 'sample') {
        x0 = modelOutput;
        epsilon = divide(combine([1, sample], [-sqrtA, x0]), sqrtB);
      } else {
        x0 = combine([sqrtA, sample], [-sqrtB, modelOutput]);
        epsilon = combine([sqrtA, modelOutput], [sqrtB, sample]);
      }
      if (thresholding) x0 = dynamicThreshold(x0, ratio, max);
      else if (limit !== undefined) x0 = clamp(x0, limit);

      // equation 12 with sigma_t = 0
      const previous = combine([sqrt32(aPrevious), x0], [sqrt32(f32(1 - aPrevious)), epsilon]);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    addNoise(original, noise, i) {
      const a = alphaAt(timesteps[i]!);
      return combine([sqrt32(a), original], [sqrt32(f32(1 - a)), noise]);
    },
    sigmaAfter(i) {
      const a = alphaBefore(timesteps[i]!);
      return sqrt32(f32(f32(1 - a) / a));
    },
    state: () => ({}),
    restore: () => {},
  };
}
