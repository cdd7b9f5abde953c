// DDIM with eta 0: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", arXiv 2010.02502.

import { alphaAt, forwardProcess } from './betas.js';
import { readClipping } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import { combine, divide, f32, sqrt32 } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps */
export function ddim(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, { zeroSnr: true });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const clip = readClipping(config, true);
  const finalAlpha = config.flag('set_alpha_to_one', true) ? 1 : alphasCumprod[0]!;
  const timesteps = spacedTimesteps(
    readSpacing(config, 'leading'),
    trainSteps,
    steps,
    config.integer('steps_offset', 0, 0),
    false,
  );

  const alphaBefore = (t: number) => {
    const previous = t - Math.floor(trainSteps / steps);
    return previous >= 0 ? alphaAt(alphasCumprod, previous) : finalAlpha;
  };

  return {
    flow: false,
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample) {
      const a = alphaAt(alphasCumprod, timesteps[i]!);
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
      x0 = clip(x0);

      // equation 12 with sigma_t = 0
      const previous = combine([sqrt32(aPrevious), x0], [sqrt32(f32(1 - aPrevious)), epsilon]);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    addNoise(original, noise, i) {
      const a = alphaAt(alphasCumprod, timesteps[i]!);
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
