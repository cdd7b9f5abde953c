// DPM-Solver-2 with ancestral noise (k-diffusion's sample_dpm_2_ancestral): step down further than
// asked by the midpoint method, then add fresh noise up to the level asked for.

import type { SchedulerConfig } from './config.js';
import { doubled, middle, timestepsOfCalls } from './dpm2.js';
import {
  ancestral,
  initialDeviation,
  kSchedule,
  predictOriginal,
  scaleToModel,
  slope,
} from './k-diffusion.js';
import { combine, f32 } from './math.js';
import type { Scheduler } from './scheduler.js';

/** @param steps 1 to num_train_timesteps */
export function dpm2Ancestral(config: SchedulerConfig, steps: number): Scheduler {
  const predictionType = config.predictionType(['epsilon', 'v_prediction']);
  const levels = kSchedule(config, steps, { betaStart: 0.00085, betaEnd: 0.012 });
  const sigmas = Float32Array.from([...levels.sigmas, 0]);

  // how far each step goes down, and how much noise brings it up again
  const pairs = Array.from(sigmas, (sigma, k) => ancestral(sigma, sigmas[k + 1] ?? 0));
  const up = Float32Array.from(pairs, (pair) => pair.up);
  const down = Float32Array.from(pairs, (pair) => pair.down);
  const midpoints = sigmas.map((sigma, k) => middle(sigma, down[k]!));
  // one entry per call, as in diffusers: the first call of a step has an even number
  const [level, between, noiseOf, target] = [sigmas, midpoints, up, down].map(doubled) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  /** x at the start of the step whose second call comes next */
  let start: Float32Array | null = null;

  return {
    flow: false,
    timesteps: timestepsOfCalls(config, levels, midpoints),
    initNoiseSigma: initialDeviation(sigmas, config),
    order: 2,
    scaleModelInput: (sample, i) =>
      scaleToModel(sample, start === null ? level[i]! : between[i - 1]!),

    step(modelOutput, i, sample, noise) {
      if (start === null) {
        const sigma = level[i]!;
        const x0 = predictOriginal(predictionType, modelOutput, sample, sigma);
        const dt = f32(between[i]! - sigma);
        start = Float32Array.from(sample);
        const previous = combine([1, sample], [dt, slope(sample, x0, sigma)]);
        return { previous, predictedOriginal: x0 };
      }
      const sigma = between[i - 1]!;
      const x0 = predictOriginal(predictionType, modelOutput, sample, sigma);
      const dt = f32(target[i - 1]! - level[i - 1]!);
      const z = noise.randn([sample.length]);
      const previous = combine([1, start], [dt, slope(sample, x0, sigma)], [noiseOf[i - 1]!, z]);
      start = null;
      return { previous, predictedOriginal: x0 };
    },

    addNoise: (original, noise, i) => combine([1, original], [level[i]!, noise]),
    sigmaAfter: (i) => (start === null ? level[i + 1] : between[i]),
    state: () => ({ start: [start] }),
    restore(state) {
      [start = null] = state.start as readonly (Float32Array | null)[];
    },
  };
}
