// DPM-Solver single-step: Lu et al., "DPM-Solver" (arXiv 2206.00927, algorithms 1 and 2) and
// "DPM-Solver++" (2211.01095, algorithm 1). Steps come in groups of `order`, and the last of a group
// starts again from the group's first x with all the predictions made in between.

import type { SchedulerConfig } from './config.js';
import { dpmSchedule, dpmWeights, levelOf } from './dpm.js';
import { dpmConverter, readDpmSettings } from './dpm-multistep.js';
import { combine, divide, f32 } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';

/** @param steps 1 to num_train_timesteps */
export function dpmSolverSinglestep(
  config: SchedulerConfig,
  steps: number,
  extras: ScheduleExtras,
): Scheduler {
  const settings = readDpmSettings(config);
  const { order, algorithm, solverType, predictionType } = settings;
  if (algorithm === 'sde-dpmsolver') {
    config.reject('algorithm_type', '"dpmsolver", "dpmsolver++" or "sde-dpmsolver++"');
  }
  const stochastic = algorithm === 'sde-dpmsolver++';
  const schedule = dpmSchedule(config, steps, extras, { clipsLambda: true });
  const { timesteps } = schedule;
  const sigmas = Float32Array.from([...schedule.sigmas, settings.endsAtZero ? 0 : schedule.least]);
  const levels = Array.from(sigmas, (sigma) => levelOf(sigma, schedule.flow));
  const convert = dpmConverter(settings, sigmas, levels);
  const orders = ordersOfSteps(
    steps,
    order,
    config.flag('lower_order_final', false),
    settings.endsAtZero,
  );

  /** the last `order` converted outputs, newest last */
  let outputs: (Float32Array | null)[] = new Array(order).fill(null);
  /** x at the beginning of the group */
  let start: Float32Array | null = null;

  /** x at level i - used + 1 carried to level i + 1: D0, D1, D2 are differences from the former. */
  function advance(i: number, used: number, x: Float32Array, z: Float32Array | null): Float32Array {
    const s = levels[i - used + 1]!;
    const t = levels[i + 1]!;
    const h = f32(t.lambda - s.lambda);
    const weights = dpmWeights(algorithm, s, t);
    const m = outputs.at(-used)!;
    /** the first difference to a later level of the group, in units of h */
    const difference = (level: number, output: Float32Array) => {
      const r = f32(f32(levels[level]!.lambda - s.lambda) / h);
      return { r, D: combine([f32(1 / r), combine([1, output], [-1, m])]) };
    };

    const terms: [number, Float32Array][] = [[weights.D0, m]];
    if (used > 1) {
      const last = difference(i, outputs.at(-1)!);
      if (used === 2) {
        terms.push([solverType === 'midpoint' ? 0.5 * weights.D0 : weights.D1, last.D]);
      } else if (solverType === 'midpoint') terms.push([weights.D1, last.D]);
      else {
        const first = difference(i - 1, outputs.at(-2)!);
        const span = f32(last.r - first.r);
        const D1 = divide(combine([last.r, first.D], [-first.r, last.D]), span);
        const D2 = divide(combine([2, combine([1, last.D], [-1, first.D])]), span);
        terms.push([weights.D1, D1], [weights.D2, D2]);
      }
    }
    if (z !== null) terms.push([weights.z, z]);
    return combine([weights.x, x], ...terms);
  }

  return {
    flow: predictionType === 'flow_prediction',
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample, noise) {
      const { m, x0 } = convert(modelOutput, i, sample);
      outputs = [...outputs.slice(1), m];
      const z = stochastic ? noise.randn([sample.length]) : null;
      // a run may begin in the middle of a group: then it lacks the group's first predictions
      let used = orders[i]!;
      while (outputs.at(-used) === null) used--;
      if (used === 1 || start === null) start = Float32Array.from(sample);
      const previous = advance(i, used, start, z);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    addNoise: (original, noise, i) =>
      combine([levels[i]!.alpha, original], [levels[i]!.sigma, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ outputs: [...outputs], start: [start] }),
    restore(state) {
      outputs = [...(state.outputs as readonly (Float32Array | null)[])];
      [start = null] = state.start as readonly (Float32Array | null)[];
    },
  };
}

/**
 * The order of each step: 1, 2 or 1, 2, 3 again and again. Where the number of steps is no multiple
 * of the order, or the run ends at sigma 0, the last group is shortened (DPM-Solver, appendix D).
 */
function ordersOfSteps(
  n: number,
  order: number,
  lowerFinal: boolean,
  endsAtZero: boolean,
): number[] {
  const cycle = Array.from({ length: n }, (_, i) => (i % order) + 1);
  if (endsAtZero || (lowerFinal && n % order === 0)) cycle[n - 1] = 1;
  return cycle;
}
