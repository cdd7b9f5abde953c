// LCM: Luo et al., "Latent Consistency Models", arXiv 2310.04378, algorithm 3 (multistep sampling):
// jump to x0, then noise it again to the next timestep.

import { alphaAt, forwardProcess } from './betas.js';
import { readClipping } from './clipping.js';
import { checkSteps, type SchedulerConfig } from './config.js';
import { mix, mixtureAt, readOriginal } from './estimates.js';
import { combine, f32, sqrt32 } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';
import { distilledTimesteps } from './spacing.js';

/** sigma_data of the boundary condition (arXiv 2303.01469, appendix C) */
const SIGMA_DATA = 0.5;

/** @param steps 1 to original_inference_steps */
export function lcm(config: SchedulerConfig, steps: number, extras: ScheduleExtras): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, {
    betaStart: 0.00085,
    betaEnd: 0.012,
    schedule: 'scaled_linear',
    zeroSnr: true,
  });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const clip = readClipping(config, false);
  const scaling = config.number('timestep_scaling', 10);
  const original = config.integer('original_inference_steps', 50, 1, trainSteps);
  checkSteps(steps, 1, original);

  const timesteps = distilledTimesteps(trainSteps, original, steps, extras.strength);
  const alphaAfter = (i: number) => alphaAt(alphasCumprod, timesteps[Math.min(i + 1, steps - 1)]!);

  return {
    flow: false,
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    shortened: extras.strength !== undefined,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample, noise) {
      const at = mixtureAt(alphaAt(alphasCumprod, timesteps[i]!));
      const x0 = clip(readOriginal(predictionType, modelOutput, sample, at));

      const t = f32(timesteps[i]! * scaling);
      const variance = f32(f32(t * t) + SIGMA_DATA ** 2);
      const cSkip = SIGMA_DATA ** 2 / variance;
      const cOut = t / sqrt32(variance);
      const denoised = combine([cOut, x0], [cSkip, sample]);
      // no noise is drawn on the last step
      if (i === steps - 1)
        return { previous: Float32Array.from(denoised), predictedOriginal: denoised };

      const aNext = alphaAfter(i);
      const z = noise.randn([sample.length]);
      const previous = mix(denoised, z, mixtureAt(aNext));
      return { previous, predictedOriginal: denoised };
    },

    addNoise(x0, noise, i) {
      const a = alphaAt(alphasCumprod, timesteps[i]!);
      return mix(x0, noise, mixtureAt(a));
    },
    sigmaAfter(i) {
      if (i >= steps - 1) return 0;
      const a = alphaAfter(i);
      return sqrt32(f32(f32(1 - a) / a));
    },
    state: () => ({}),
    restore: () => {},
  };
}
