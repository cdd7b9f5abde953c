// Heun's method on a rectified flow: as flow-match-euler.ts, with a second call at the end of each
// step and the mean of both velocities; the last step, to sigma 0, is Euler's: 2 n - 1 calls.

import type { SchedulerConfig } from './config.js';
import { flowNoiseLevels } from './flow-match-euler.js';
import { combine, divide, f32 } from './math.js';
import type { Scheduler } from './scheduler.js';

/** @param steps 1 or more */
export function flowMatchHeun(config: SchedulerConfig, steps: number): Scheduler {
  const trainSteps = config.integer('num_train_timesteps', 1000, 1, 100_000);
  const levels = flowNoiseLevels(config, trainSteps, steps, {});
  // one entry per call: both calls of a step end at the same level
  const calls = [...levels].flatMap((sigma, k) => (k === 0 ? [sigma] : [sigma, sigma]));
  const sigmas = Float32Array.from([...calls, 0]);
  /** the first half of a step; null between steps */
  let begun: { x: Float32Array; derivative: Float32Array; dt: number } | null = null;

  return {
    flow: true,
    timesteps: calls.map((sigma) => f32(sigma * trainSteps)),
    initNoiseSigma: 1,
    order: 2,
    scaleModelInput: (sample) => sample,

    step(velocity, i, sample) {
      const sigma = sigmas[i]!;
      const x0 = combine([1, sample], [-sigma, velocity]);
      // the velocity again, by way of x0 as diffusers has it
      const derivative = divide(combine([1, sample], [-1, x0]), sigma);
      if (begun === null) {
        const dt = f32(sigmas[i + 1]! - sigma);
        begun = { x: Float32Array.from(sample), derivative, dt };
        return { previous: combine([1, sample], [dt, derivative]), predictedOriginal: x0 };
      }
      const { x, derivative: earlier, dt } = begun;
      begun = null;
      const mean = combine([0.5, combine([1, earlier], [1, derivative])]);
      return { previous: combine([1, x], [dt, mean]), predictedOriginal: x0 };
    },

    addNoise: (original, noise, i) => combine([sigmas[i]!, noise], [f32(1 - sigmas[i]!), original]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ begun: [begun?.x ?? null, begun?.derivative ?? null], dt: begun?.dt ?? null }),
    restore(state) {
      const [x, derivative] = state.begun as readonly (Float32Array | null)[];
      begun = x && derivative ? { x, derivative, dt: state.dt as number } : null;
    },
  };
}
