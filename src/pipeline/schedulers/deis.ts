// DEIS: Zhang and Chen, "Fast Sampling of Diffusion Models with Exponential Integrator", arXiv
// 2204.13902, the multistep variant over log rho (rho-AB), of order 1 to 3; rho = sigma / alpha.

import { readThresholding } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import { dpmSchedule, dpmWeights, type Level, levelOf, readDpmPrediction } from './dpm.js';
import { epsilonFrom, readOriginal } from './estimates.js';
import { combine, divide, f32, numpyLog32 } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';

/** @param steps 1 to num_train_timesteps */
export function deis(config: SchedulerConfig, steps: number, extras: ScheduleExtras): Scheduler {
  const order = config.integer('solver_order', 2, 1, 3);
  // sister solvers' names are taken for the one there is, as diffusers does
  config.choice('algorithm_type', 'deis', ['deis', 'dpmsolver', 'dpmsolver++']);
  config.choice('solver_type', 'logrho', ['logrho', 'midpoint', 'heun', 'bh1', 'bh2']);
  const predictionType = readDpmPrediction(config);
  const threshold = readThresholding(config);
  const lowerOrderFinal = config.flag('lower_order_final', true);
  const schedule = dpmSchedule(config, steps, extras, { spacing: true });
  const { timesteps } = schedule;
  // the logarithm has no value at 0: the run ends at the last sigma or at that of timestep 0
  const last = schedule.rescheduled ? schedule.sigmas.at(-1)! : schedule.least;
  const sigmas = Float32Array.from([...schedule.sigmas, last]);
  const levels = Array.from(sigmas, (sigma) => levelOf(sigma, schedule.flow));
  const calls = timesteps.length;

  /** epsilon of the last `order` calls, newest last */
  let outputs: (Float32Array | null)[] = new Array(order).fill(null);
  /** calls made in this run, counted up to the order */
  let known = 0;

  /** Equation 15: x_t = alpha_t (x / alpha_s + sum of C_j epsilon_j), from level i to i + 1. */
  function advance(i: number, used: number, x: Float32Array): Float32Array {
    const [s, t] = [levels[i]!, levels[i + 1]!];
    if (used === 1) {
      const weights = dpmWeights('dpmsolver', s, t);
      return combine([weights.x, x], [weights.D0, outputs.at(-1)!]);
    }
    const logs = Array.from({ length: used }, (_, j) => logRho(levels[i - j]!));
    const [from, to] = [rho(s), rho(t)];
    const terms = logs.map((b, j): [number, Float32Array] => {
      // the order in which diffusers names the other points: after j, around
      const others = [...logs.slice(j + 1), ...logs.slice(0, j)];
      const integral = (r: number) => basisIntegral(r, b, others);
      return [f32(integral(to) - integral(from)), outputs.at(-1 - j)!];
    });
    return combine([t.alpha, combine([1, divide(x, s.alpha)], ...terms)]);
  }

  return {
    flow: predictionType === 'flow_prediction',
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample) {
      const level = levels[i]!;
      const x0 = threshold(readOriginal(predictionType, modelOutput, sample, level, sigmas[i]!));
      outputs = [...outputs.slice(1), epsilonFrom(x0, sample, level)];
      let used = Math.min(order, known + 1);
      if (lowerOrderFinal && calls < 15) used = Math.min(used, calls - i);
      const previous = advance(i, used, sample);
      known = Math.min(known + 1, order);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    addNoise: (original, noise, i) =>
      combine([levels[i]!.alpha, original], [levels[i]!.sigma, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ known, outputs: [...outputs] }),
    restore(state) {
      known = state.known as number;
      outputs = [...(state.outputs as readonly (Float32Array | null)[])];
    },
  };
}

const rho = (level: Level): number => f32(level.sigma / level.alpha);
const logRho = (level: Level): number => numpyLog32(rho(level));

/**
 * The indefinite integral over r of the Lagrange polynomial in log r that is 1 at log b and 0 at the
 * one or two others (c, d), at r. Float32 in the order of diffusers' operations.
 */
function basisIntegral(r: number, b: number, [c, d]: readonly number[]): number {
  const l = numpyLog32(r);
  if (d === undefined) return f32(f32(r * f32(f32(-c! + l) - 1)) / f32(b - c!));
  let sum = f32(c! * f32(f32(d - l) + 1));
  sum = f32(sum - f32(d * l));
  sum = f32(sum + d);
  sum = f32(sum + f32(l * l));
  sum = f32(sum - f32(2 * l));
  sum = f32(sum + 2);
  return f32(f32(r * sum) / f32(f32(b - c!) * f32(b - d)));
}
