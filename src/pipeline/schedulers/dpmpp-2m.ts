// DPM-Solver multistep: Lu et al., "DPM-Solver" (arXiv 2206.00927) and "DPM-Solver++" (2211.01095).
// Order 1 to 3 on noise (dpmsolver) or data (dpmsolver++) prediction, as ODE or SDE. "DPM++ 2M" is
// order 2 of dpmsolver++; with Karras sigmas it is what users call "DPM++ 2M Karras".

import { forwardProcess, trainSigmas } from './betas.js';
import type { SchedulerConfig } from './config.js';
import {
  arangeDown,
  combine,
  divide,
  dynamicThreshold,
  f32,
  interpolate,
  linspace,
  numpyLog32,
  roundHalfEven,
  sqrt32,
} from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSigmaSchedule, scheduledSigmas, sigmaToTimestep } from './sigmas.js';
import { readSpacing } from './spacing.js';

const exp32 = (x: number) => f32(Math.exp(x));
const log32 = (x: number) => f32(Math.log(x));

/** A point of the noise schedule: x = alpha x0 + sigma epsilon, lambda = log(alpha / sigma). */
interface Level {
  readonly alpha: number;
  readonly sigma: number;
  readonly lambda: number;
}

/** @param steps 1 to num_train_timesteps; a lambda_min_clipped may leave fewer calls */
export function dpmSolverMultistep(config: SchedulerConfig, steps: number): Scheduler {
  const settings = readSettings(config);
  const { order, algorithm, solverType, predictionType, flow } = settings;
  const onData = algorithm === 'dpmsolver++' || algorithm === 'sde-dpmsolver++';
  const stochastic = algorithm === 'sde-dpmsolver' || algorithm === 'sde-dpmsolver++';
  const { timesteps, sigmas } = noiseLevels(config, settings, steps);
  const calls = timesteps.length;
  const fewSteps = calls < 15;

  const levels: Level[] = Array.from(sigmas, (s) => {
    const alpha = flow ? f32(1 - s) : f32(1 / sqrt32(f32(f32(s * s) + 1)));
    const sigma = flow ? s : f32(s * alpha);
    return { alpha, sigma, lambda: f32(log32(alpha) - log32(sigma)) };
  });

  /** the last `order` converted outputs, newest last */
  let outputs: (Float32Array | null)[] = new Array(order).fill(null);
  /** calls made in this run, counted up to the order */
  let known = 0;

  /** Both readings of a model output at level i: x0 and epsilon, thresholded where asked. */
  function convert(
    output: Float32Array,
    i: number,
    x: Float32Array,
  ): { m: Float32Array; x0: Float32Array } {
    const { alpha, sigma } = levels[i]!;
    const originalFrom = (epsilon: Float32Array) =>
      divide(combine([1, x], [-sigma, epsilon]), alpha);
    const threshold = (x0: Float32Array) =>
      settings.thresholding ? dynamicThreshold(x0, settings.ratio, settings.max) : x0;

    if (onData) {
      let x0: Float32Array;
      if (predictionType === 'epsilon') x0 = originalFrom(output);
      else if (predictionType === 'sample') x0 = Float32Array.from(output);
      else if (predictionType === 'v_prediction') x0 = combine([alpha, x], [-sigma, output]);
      else x0 = combine([1, x], [-sigmas[i]!, output]);
      x0 = threshold(x0);
      return { m: x0, x0 };
    }
    let epsilon: Float32Array;
    if (predictionType === 'epsilon') epsilon = Float32Array.from(output);
    else if (predictionType === 'sample') {
      epsilon = divide(combine([1, x], [-alpha, output]), sigma);
    } else epsilon = combine([alpha, output], [sigma, x]);
    const x0 = threshold(originalFrom(epsilon));
    if (settings.thresholding) epsilon = divide(combine([1, x], [-alpha, x0]), sigma);
    return { m: epsilon, x0 };
  }

  /**
   * x at level i carried to level i + 1 with a Taylor expansion of the prediction around level i:
   * D0 its value, D1 and D2 its first and second differences in units of h.
   */
  function advance(i: number, used: number, x: Float32Array, z: Float32Array | null): Float32Array {
    const s0 = levels[i]!;
    const t = levels[i + 1]!;
    const h = f32(t.lambda - s0.lambda);
    const m0 = outputs.at(-1)!;
    let D1: Float32Array | undefined;
    let D2: Float32Array | undefined;
    if (used > 1) {
      const m1 = outputs.at(-2)!;
      const h0 = f32(s0.lambda - levels[i - 1]!.lambda);
      const r0 = f32(h0 / h);
      D1 = combine([f32(1 / r0), combine([1, m0], [-1, m1])]);
      if (used > 2) {
        const m2 = outputs.at(-3)!;
        const r1 = f32(f32(levels[i - 1]!.lambda - levels[i - 2]!.lambda) / h);
        const D10 = D1;
        const D11 = combine([f32(1 / r1), combine([1, m1], [-1, m2])]);
        const bend = combine([1, D10], [-1, D11]);
        D1 = combine([1, D10], [f32(r0 / f32(r0 + r1)), bend]);
        D2 = combine([f32(1 / f32(r0 + r1)), bend]);
      }
    }

    // The integrals of exp(lambda) times 1, lambda and lambda^2 / 2 over the step, in closed form.
    // w: their scale; e: expm1 of the step in the direction of the algorithm.
    const midpoint = used === 2 && solverType === 'midpoint';
    let k: number;
    let c0: number;
    let c1: number;
    let c2 = 0;
    if (algorithm === 'dpmsolver++') {
      const e = f32(exp32(-h) - 1);
      k = f32(t.sigma / s0.sigma);
      c0 = -f32(t.alpha * e);
      c1 = midpoint ? 0.5 * c0 : f32(t.alpha * f32(f32(e / h) + 1));
      c2 = -f32(t.alpha * f32(f32(f32(e + h) / f32(h * h)) - 0.5));
    } else if (algorithm === 'dpmsolver') {
      const e = f32(exp32(h) - 1);
      k = f32(t.alpha / s0.alpha);
      c0 = -f32(t.sigma * e);
      c1 = midpoint ? 0.5 * c0 : -f32(t.sigma * f32(f32(e / h) - 1));
      c2 = -f32(t.sigma * f32(f32(f32(e - h) / f32(h * h)) - 0.5));
    } else if (algorithm === 'sde-dpmsolver++') {
      const e = f32(1 - exp32(-2 * h));
      k = f32(f32(t.sigma / s0.sigma) * exp32(-h));
      c0 = f32(t.alpha * e);
      c1 = midpoint ? 0.5 * c0 : f32(t.alpha * f32(f32(e / f32(-2 * h)) + 1));
      c2 = f32(t.alpha * f32(f32(f32(e - 2 * h) / f32(f32(2 * h) ** 2)) - 0.5));
    } else {
      const e = f32(exp32(h) - 1);
      k = f32(t.alpha / s0.alpha);
      c0 = -2 * f32(t.sigma * e);
      c1 = midpoint ? 0.5 * c0 : -2 * f32(t.sigma * f32(f32(e / h) - 1));
    }

    const terms: [number, Float32Array][] = [
      [k, x],
      [c0, m0],
    ];
    if (D1 !== undefined) terms.push([c1, D1]);
    if (D2 !== undefined) terms.push([c2, D2]);
    if (z !== null) {
      const spread = algorithm === 'sde-dpmsolver++' ? 1 - exp32(-2 * h) : f32(exp32(2 * h) - 1);
      terms.push([f32(t.sigma * sqrt32(f32(spread))), z]);
    }
    return combine(...terms);
  }

  return {
    flow: predictionType === 'flow_prediction',
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample, noise) {
      // a model with a learned variance appends it after the mean
      const mean = settings.learnedVariance ? modelOutput.subarray(0, sample.length) : modelOutput;
      const { m, x0 } = convert(mean, i, sample);
      outputs = [...outputs.slice(1), m];
      const z = stochastic ? noise.randn([sample.length]) : null;

      // fewer differences at the start, for lack of history, and at the end, for stability
      let used = Math.min(order, known + 1);
      const last = i === calls - 1;
      if (last && (settings.eulerAtFinal || settings.endsAtZero)) used = 1;
      if (settings.lowerOrderFinal && fewSteps) used = Math.min(used, calls - i);
      const previous = advance(i, used, sample, z);
      known = Math.min(known + 1, order);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    addNoise: (original, noise, i) =>
      combine([levels[i]!.alpha, original], [levels[i]!.sigma, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ known, outputs: [...outputs] }),
    restore(state) {
      known = state['known'] as number;
      outputs = [...(state['outputs'] as readonly (Float32Array | null)[])];
    },
  };
}

type Settings = ReturnType<typeof readSettings>;

function readSettings(config: SchedulerConfig) {
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
  if (order === 3 && algorithm === 'sde-dpmsolver') {
    config.reject('solver_order', '1 or 2 with algorithm_type "sde-dpmsolver"');
  }
  const predictionType = config.choice('prediction_type', 'epsilon', [
    'epsilon',
    'v_prediction',
    'sample',
    'flow_prediction',
  ]);
  if (predictionType === 'flow_prediction' && !algorithm.endsWith('++')) {
    config.reject('prediction_type', `no flow with algorithm_type "${algorithm}"`);
  }
  return {
    order,
    algorithm,
    solverType: solver === 'heun' ? 'heun' : 'midpoint',
    predictionType,
    endsAtZero,
    lowerOrderFinal: config.flag('lower_order_final', true),
    eulerAtFinal: config.flag('euler_at_final', false),
    flow: config.flag('use_flow_sigmas', false),
    thresholding: config.flag('thresholding', false),
    ratio: config.number('dynamic_thresholding_ratio', 0.995, 0, 1),
    max: config.number('sample_max_value', 1),
    learnedVariance:
      predictionType === 'epsilon' &&
      config
        .choice('variance_type', 'fixed', [
          'fixed',
          'learned',
          'learned_range',
          'fixed_small',
          'fixed_large',
        ])
        .startsWith('learned'),
  } as const;
}

/** The timesteps (integers) and the sigmas (one more: where the run ends). */
function noiseLevels(
  config: SchedulerConfig,
  settings: Settings,
  n: number,
): { timesteps: number[]; sigmas: Float32Array } {
  const { trainSteps, alphasCumprod } = forwardProcess(config, { zeroSnr: true, floor: true });
  const trained = trainSigmas(alphasCumprod);
  const logSigmas = trained.map(numpyLog32);
  const first = trained[0]!;
  const last = trained.at(-1)!;
  const schedule = readSigmaSchedule(config);
  const min = config.optionalNumber('sigma_min') ?? first;
  const max = config.optionalNumber('sigma_max') ?? last;
  // rounded to the training grid, save on the cosine schedule, whose tail is too steep for that
  const onGrid =
    config.choice('beta_schedule', 'linear', ['linear', 'scaled_linear', 'squaredcos_cap_v2']) !==
    'squaredcos_cap_v2';
  const timestepOf = (sigma: number) => sigmaToTimestep(sigma, logSigmas);

  let timesteps: number[];
  let levels: number[];
  if (schedule === 'karras') {
    levels = scheduledSigmas('karras', min, max, n);
    timesteps = levels.map(timestepOf).map(onGrid ? roundHalfEven : Math.trunc);
  } else if (config.flag('use_lu_lambdas', false)) {
    // even in lambda (DPM-Solver, section 3.4)
    const from = logSigmas.at(-1)!;
    const to = logSigmas[0]!;
    levels = linspace(0, 1, n).map((ramp) => Math.exp(from + ramp * (to - from)));
    timesteps = levels.map(timestepOf).map(onGrid ? roundHalfEven : Math.trunc);
  } else if (schedule !== undefined) {
    levels = scheduledSigmas(schedule, min, max, n);
    timesteps = levels.map(timestepOf).map(Math.trunc);
  } else if (settings.flow) {
    const shift = config.number('flow_shift', 1);
    levels = linspace(1, 1 / trainSteps, n + 1)
      .map((alpha) => (shift * (1 - alpha)) / (1 + (shift - 1) * (1 - alpha)))
      .reverse()
      .slice(0, -1);
    timesteps = levels.map((sigma) => Math.trunc(sigma * trainSteps));
  } else {
    timesteps = spaced(config, alphasCumprod, trainSteps, n);
    levels = timesteps.map((t) => interpolate(t, trained));
  }
  return { timesteps, sigmas: Float32Array.from([...levels, settings.endsAtZero ? 0 : first]) };
}

/** Unlike the other schedulers', the grid has n + 1 points of which the last, 0, is dropped. */
function spaced(
  config: SchedulerConfig,
  alphasCumprod: Float32Array,
  trainSteps: number,
  n: number,
): number[] {
  const spacing = readSpacing(config, 'linspace');
  const offset = config.integer('steps_offset', 0, 0);
  // the noisiest timesteps are left out where lambda falls below its limit
  const lambdaMin = f32(config.number('lambda_min_clipped', Number.NEGATIVE_INFINITY));
  const clipped = alphasCumprod.reduce(
    (count, a) => count + (f32(log32(sqrt32(a)) - log32(sqrt32(f32(1 - a)))) < lambdaMin ? 1 : 0),
    0,
  );
  const top = trainSteps - clipped;
  if (spacing === 'linspace') {
    return linspace(0, top - 1, n + 1)
      .map(roundHalfEven)
      .reverse()
      .slice(0, -1);
  }
  if (spacing === 'leading') {
    const ratio = Math.floor(top / (n + 1));
    return Array.from({ length: n }, (_, i) => (n - i) * ratio + offset);
  }
  return arangeDown(top, trainSteps / n).map((t) => roundHalfEven(t) - 1);
}
