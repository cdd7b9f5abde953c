// Euler with ancestral noise (k-diffusion's sample_euler_ancestral): step down further than asked,
// then add fresh noise up to the level asked for. Song et al., arXiv 2011.13456; Karras et al., 2206.00364.

import { forwardProcess, trainSigmas } from './betas.js';
import type { SchedulerConfig } from './config.js';
import {
  ancestral,
  initialDeviation,
  predictOriginal,
  scaleToModel,
  slope,
} from './k-diffusion.js';
import { combine, f32, interpolate } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps */
export function eulerAncestral(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, { zeroSnr: true, floor: true });
  const predictionType = config.predictionType(['epsilon', 'v_prediction']);
  const spacing = readSpacing(config, 'linspace');
  const offset = config.integer('steps_offset', 0, 0);
  const timesteps = spacedTimesteps(spacing, trainSteps, steps, offset, true);
  const trained = trainSigmas(alphasCumprod);
  const sigmas = Float32Array.from([...timesteps.map((t) => interpolate(t, trained)), 0]);

  return {
    flow: false,
    timesteps,
    initNoiseSigma: initialDeviation(sigmas, config),
    order: 1,
    scaleModelInput: (sample, i) => scaleToModel(sample, sigmas[i]!),

    step(modelOutput, i, sample, noise) {
      const from = sigmas[i]!;
      const to = sigmas[i + 1]!;
      const { up, down } = ancestral(from, to);
      const x0 = predictOriginal(predictionType, modelOutput, sample, from);
      // drawn on the last step too (times 0), so that the stream stays where diffusers has it
      const z = noise.randn([sample.length]);
      const previous = combine([1, sample], [f32(down - from), slope(sample, x0, from)], [up, z]);
      return { previous, predictedOriginal: x0 };
    },

    addNoise: (original, noise, i) => combine([1, original], [sigmas[i]!, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({}),
    restore: () => {},
  };
}
