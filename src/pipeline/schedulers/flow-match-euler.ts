// Euler's method on a rectified flow: Liu et al., arXiv 2209.03003; Esser et al. (Stable Diffusion 3),
// arXiv 2403.03206. The path is x = (1 - sigma) x0 + sigma epsilon and the model gives its velocity
// epsilon - x0.

import type { SchedulerConfig } from './config.js';
import { combine, f32, linspace } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';
import { dynamicShift, shiftSigmas, stretchToTerminal } from './shift.js';
import { readSigmaSchedule, scheduledSigmas } from './sigmas.js';

/** @param steps 1 or more */
export function flowMatchEuler(
  config: SchedulerConfig,
  steps: number,
  extras: ScheduleExtras,
): Scheduler {
  const trainSteps = config.integer('num_train_timesteps', 1000, 1, 100_000);
  const stochastic = config.flag('stochastic_sampling', false);
  // Mochi's time runs the other way: sigma rises from noise (0) to the picture (1)
  const inverted = config.flag('invert_sigmas', false);
  const falling = flowNoiseLevels(config, trainSteps, steps, extras);
  const levels = inverted ? falling.map((sigma) => 1 - sigma) : falling;
  const sigmas = Float32Array.from([...levels, inverted ? 1 : 0]);

  return {
    flow: true,
    timesteps: Array.from(levels, (sigma) => f32(sigma * trainSteps)),
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(velocity, i, sample, noise) {
      const sigma = sigmas[i]!;
      const next = sigmas[i + 1]!;
      const predictedOriginal = inverted
        ? combine([1, sample], [f32(1 - sigma), velocity])
        : combine([1, sample], [-sigma, velocity]);
      if (!stochastic) {
        return { previous: combine([1, sample], [f32(next - sigma), velocity]), predictedOriginal };
      }
      const x0 = combine([1, sample], [-sigma, velocity]);
      // drawn on the last step too, as in diffusers
      const z = noise.randn([sample.length]);
      return { previous: combine([f32(1 - next), x0], [next, z]), predictedOriginal };
    },

    addNoise: (original, noise, i) => combine([sigmas[i]!, noise], [f32(1 - sigmas[i]!), original]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({}),
    restore: () => {},
  };
}

/** Falling sigmas of (0, 1], one for each step, float32. */
export function flowNoiseLevels(
  config: SchedulerConfig,
  trainSteps: number,
  n: number,
  { imageSequenceLength, sigmas }: ScheduleExtras,
): Float32Array {
  const shift = config.number('shift', 1);
  const dynamic = config.flag('use_dynamic_shifting', false);
  const shiftType = config.choice('time_shift_type', 'exponential', ['exponential', 'linear']);

  let levels: number[];
  // sigmas that a pipeline gives are float32, the class's own are float64
  const round = sigmas === undefined ? (x: number) => x : f32;
  if (sigmas !== undefined) levels = sigmas.map(f32);
  else {
    // the ends of the training schedule, in float32, carry the fixed shift already
    const [min, max] = [f32(1 / trainSteps), 1].map((s) =>
      dynamic ? s : f32(f32(f32(shift) * s) / f32(1 + f32(f32(shift - 1) * s))),
    ) as [number, number];
    levels = linspace(max * trainSteps, min * trainSteps, n).map((t) => t / trainSteps);
  }

  levels = dynamic
    ? dynamicShift(levels, config, shiftType, imageSequenceLength, round)
    : shiftSigmas(levels, shift, round);
  const terminal = config.optionalNumber('shift_terminal');
  if (terminal) levels = stretchToTerminal(levels, terminal, round);

  const schedule = readSigmaSchedule(config);
  if (schedule !== undefined) {
    const min = config.optionalNumber('sigma_min') ?? levels.at(-1)!;
    const max = config.optionalNumber('sigma_max') ?? levels[0]!;
    levels = scheduledSigmas(schedule, min, max, n);
  }
  return Float32Array.from(levels);
}
