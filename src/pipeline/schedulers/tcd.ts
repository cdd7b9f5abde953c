// TCD: Zheng et al., "Trajectory Consistency Distillation", arXiv 2402.19159, algorithm 4 (strategic
// stochastic sampling): jump along the trajectory to s = (1 - eta) t_next, then noise up to t_next.

import { alphaAt, forwardProcess } from './betas.js';
import { checkSteps, type SchedulerConfig } from './config.js';
import { mix, mixtureAt, readEpsilon, readOriginal } from './estimates.js';
import { f32, sqrt32 } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';
import { distilledTimesteps } from './spacing.js';

/** @param steps 1 to original_inference_steps */
export function tcd(config: SchedulerConfig, steps: number, extras: ScheduleExtras): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config, {
    betaStart: 0.00085,
    betaEnd: 0.012,
    schedule: 'scaled_linear',
    zeroSnr: true,
  });
  const predictionType = config.predictionType(['epsilon', 'v_prediction', 'sample']);
  const original = config.integer('original_inference_steps', 50, 1, trainSteps);
  checkSteps(steps, 1, original);
  const eta = extras.eta ?? 0;
  const timesteps = distilledTimesteps(trainSteps, original, steps, extras.strength);
  const alphaAfter = (i: number) => alphaAt(alphasCumprod, timesteps[i + 1] ?? 0);

  return {
    flow: false,
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    shortened: extras.strength !== undefined,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample, noise) {
      const at = mixtureAt(alphaAt(alphasCumprod, timesteps[i]!));
      const s = Math.floor(f32(f32(1 - eta) * (timesteps[i + 1] ?? 0)));
      const aS = alphaAt(alphasCumprod, s);

      const x0 = readOriginal(predictionType, modelOutput, sample, at);
      const epsilon = readEpsilon(predictionType, modelOutput, sample, at);
      const xS = mix(x0, epsilon, mixtureAt(aS));
      // no noise is drawn without eta, nor on the last step
      if (eta === 0 || i === timesteps.length - 1) return { previous: xS, predictedOriginal: x0 };

      const ratio = f32(alphaAfter(i) / aS);
      const z = noise.randn([sample.length]);
      const previous = mix(xS, z, mixtureAt(ratio));
      return { previous, predictedOriginal: x0 };
    },

    addNoise(x0, noise, i) {
      const a = alphaAt(alphasCumprod, timesteps[i]!);
      return mix(x0, noise, mixtureAt(a));
    },
    sigmaAfter(i) {
      const a = alphaAfter(i);
      return sqrt32(f32(f32(1 - a) / a));
    },
    state: () => ({}),
    restore: () => {},
  };
}
