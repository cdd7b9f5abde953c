// DPM-Solver multistep: Lu et al., "DPM-Solver" (arXiv 2206.00927) and "DPM-Solver++" (2211.01095).
// Order 1 to 3 on noise (dpmsolver) or data (dpmsolver++) prediction, as ODE or SDE. "DPM++ 2M" is
// order 2 of dpmsolver++; with Karras sigmas it is what users call "DPM++ 2M Karras".

import { readThresholding } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import { dpmSchedule, dpmWeights, type Level, levelOf, readDpmPrediction } from './dpm.js';
import { epsilonFrom, originalFrom, readEpsilon, readOriginal } from './estimates.js';
import { combine, f32 } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';

/** @param steps 1 to num_train_timesteps; a lambda_min_clipped may leave fewer calls */
export function dpmSolverMultistep(
  config: SchedulerConfig,
  steps: number,
  extras: ScheduleExtras,
): Scheduler {
  const settings = readDpmSettings(config);
  const { order, algorithm, predictionType } = settings;
  if (order === 3 && algorithm === 'sde-dpmsolver') {
    config.reject('solver_order', '1 or 2 with algorithm_type "sde-dpmsolver"');
  }
  const schedule = dpmSchedule(config, steps, extras, {
    zeroSnr: true,
    spacing: true,
    clipsLambda: true,
    multistep: true,
  });
  const { timesteps } = schedule;
  const sigmas = Float32Array.from([...schedule.sigmas, settings.endsAtZero ? 0 : schedule.least]);
  const levels = Array.from(sigmas, (sigma) => levelOf(sigma, schedule.flow));

  return {
    flow: predictionType === 'flow_prediction',
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,
    ...multistepSolver(config, settings, levels, dpmConverter(settings, sigmas, levels)),
    addNoise: (original, noise, i) =>
      combine([levels[i]!.alpha, original], [levels[i]!.sigma, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
  };
}

/** What a multistep solver does with predictions `m` at falling levels, the last where it ends. */
export function multistepSolver(
  config: SchedulerConfig,
  settings: Pick<DpmSettings, 'order' | 'algorithm' | 'solverType' | 'endsAtZero'>,
  levels: readonly Level[],
  convert: DpmConverter,
): Pick<Scheduler, 'step' | 'state' | 'restore'> {
  const { order, algorithm, solverType } = settings;
  const stochastic = algorithm.startsWith('sde');
  const lowerOrderFinal = config.flag('lower_order_final', true);
  const eulerAtFinal = config.flag('euler_at_final', false);
  const calls = levels.length - 1;
  /** the last `order` converted outputs, newest last */
  let outputs: (Float32Array | null)[] = new Array(order).fill(null);
  /** calls made in this run, counted up to the order */
  let known = 0;

  /**
   * x at level i carried to level i + 1 with a Taylor expansion of the prediction around level i:
   * D0 its value, D1 and D2 its first and second differences in units of h.
   */
  function advance(i: number, used: number, x: Float32Array, z: Float32Array | null): Float32Array {
    const [s0, t] = [levels[i]!, levels[i + 1]!];
    const weights = dpmWeights(algorithm, s0, t);
    const m0 = outputs.at(-1)!;
    const terms: [number, Float32Array][] = [[weights.D0, m0]];
    if (used > 1) {
      const h = f32(t.lambda - s0.lambda);
      const m1 = outputs.at(-2)!;
      const r0 = f32(f32(s0.lambda - levels[i - 1]!.lambda) / h);
      const D10 = combine([f32(1 / r0), combine([1, m0], [-1, m1])]);
      if (used === 2) {
        terms.push([solverType === 'midpoint' ? 0.5 * weights.D0 : weights.D1, D10]);
      } else {
        const m2 = outputs.at(-3)!;
        const r1 = f32(f32(levels[i - 1]!.lambda - levels[i - 2]!.lambda) / h);
        const D11 = combine([f32(1 / r1), combine([1, m1], [-1, m2])]);
        const bend = combine([1, D10], [-1, D11]);
        terms.push([weights.D1, combine([1, D10], [f32(r0 / f32(r0 + r1)), bend])]);
        terms.push([weights.D2, combine([f32(1 / f32(r0 + r1)), bend])]);
      }
    }
    if (z !== null) terms.push([weights.z, z]);
    return combine([weights.x, x], ...terms);
  }

  return {
    step(modelOutput, i, sample, noise) {
      const { m, x0 } = convert(modelOutput, i, sample);
      outputs = [...outputs.slice(1), m];
      const z = stochastic ? noise.randn([sample.length]) : null;

      // fewer differences at the start, for lack of history, and at the end, for stability
      let used = Math.min(order, known + 1);
      if (i === calls - 1 && (eulerAtFinal || settings.endsAtZero)) used = 1;
      if (lowerOrderFinal && calls < 15) used = Math.min(used, calls - i);
      // a step of no length (to sigma_min, from it) has no differences
      if (levels[i]!.lambda === levels[i + 1]!.lambda) used = 1;
      const previous = advance(i, used, sample, z);
      known = Math.min(known + 1, order);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    state: () => ({ known, outputs: [...outputs] }),
    restore(state) {
      known = state.known as number;
      outputs = [...(state.outputs as readonly (Float32Array | null)[])];
    },
  };
}

export type DpmSettings = ReturnType<typeof readDpmSettings>;

/** What the multistep and the single-step class have in common. */
export function readDpmSettings(config: SchedulerConfig) {
  const order = config.integer('solver_order', 2, 1, 3);
  // names that sister solvers use for the nearest thing here, as diffusers maps them
  const named = config.choice('algorithm_type', 'dpmsolver++', [
    'dpmsolver',
    'dpmsolver++',
    'sde-dpmsolver',
    'sde-dpmsolver++',
    'deis',
  ]);
  const algorithm = named === 'deis' ? 'dpmsolver++' : named;
  const solver = config.choice('solver_type', 'midpoint', [
    'midpoint',
    'heun',
    'logrho',
    'bh1',
    'bh2',
  ]);
  const endsAtZero = config.choice('final_sigmas_type', 'zero', ['zero', 'sigma_min']) === 'zero';
  if (endsAtZero && !algorithm.endsWith('++')) {
    config.reject('final_sigmas_type', `"sigma_min" with algorithm_type "${algorithm}"`);
  }
  const predictionType = readDpmPrediction(config);
  if (predictionType === 'flow_prediction' && !algorithm.endsWith('++')) {
    config.reject('prediction_type', `no flow with algorithm_type "${algorithm}"`);
  }
  const variance = config.choice('variance_type', 'fixed', [
    'fixed',
    'fixed_small',
    'fixed_small_log',
    'fixed_large',
    'fixed_large_log',
    'learned',
    'learned_range',
  ]);
  return {
    order,
    algorithm,
    solverType: solver === 'heun' ? 'heun' : 'midpoint',
    predictionType,
    endsAtZero,
    threshold: readThresholding(config),
    thresholding: config.flag('thresholding', false),
    learnedVariance: predictionType === 'epsilon' && variance.startsWith('learned'),
  } as const;
}

/** Reads a model output at level i as the algorithm wants it (m: x0 or epsilon), and as x0. */
export type DpmConverter = (
  modelOutput: Float32Array,
  i: number,
  x: Float32Array,
) => { readonly m: Float32Array; readonly x0: Float32Array };

/** The converter of models that predict in the variance-preserving view or a flow. */
export function dpmConverter(
  settings: DpmSettings,
  sigmas: Float32Array,
  levels: readonly Level[],
): DpmConverter {
  const { algorithm, predictionType, threshold } = settings;
  return (modelOutput, i, x) => {
    // a model with a learned variance appends it after the mean
    const output = settings.learnedVariance ? modelOutput.subarray(0, x.length) : modelOutput;
    const level = levels[i]!;
    if (algorithm.endsWith('++') || predictionType === 'flow_prediction') {
      const x0 = threshold(readOriginal(predictionType, output, x, level, sigmas[i]!));
      return { m: x0, x0 };
    }
    const epsilon = readEpsilon(predictionType, output, x, level);
    const x0 = threshold(originalFrom(epsilon, x, level));
    return { m: settings.thresholding ? epsilonFrom(x0, x, level) : epsilon, x0 };
  };
}
