// DDIM with eta 0: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", arXiv 2010.02502.

import { alphaAt, forwardProcess } from './betas.js';
import { readClipping } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import { mix, mixtureAt, readEpsilon, readOriginal } from './estimates.js';
import { f32, sqrt32 } from './math.js';
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
      const at = mixtureAt(alphaAt(alphasCumprod, timesteps[i]!));
      const before = mixtureAt(alphaBefore(timesteps[i]!));
      const epsilon = readEpsilon(predictionType, modelOutput, sample, at);
      const x0 = clip(readOriginal(predictionType, modelOutput, sample, at));
      // equation 12 with sigma_t = 0
      return { previous: mix(x0, epsilon, before), predictedOriginal: x0 };
    },

    addNoise(original, noise, i) {
      const a = alphaAt(alphasCumprod, timesteps[i]!);
      return mix(original, noise, mixtureAt(a));
    },
    sigmaAfter(i) {
      const a = alphaBefore(timesteps[i]!);
      return sqrt32(f32(f32(1 - a) / a));
    },
    state: () => ({}),
    restore: () => {},
  };
}
