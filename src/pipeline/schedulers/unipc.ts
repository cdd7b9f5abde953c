// UniPC: Zhao et al., "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion
// Models", arXiv 2302.04867, algorithms 5 to 8, with B(h) = h (bh1) or e^h - 1 (bh2). Each call first
// corrects the x that the last one predicted, with the same model output, then predicts the next.

import { readThresholding } from './clipping.js';
import type { SchedulerConfig } from './config.js';
import { dpmSchedule, levelOf, readDpmPrediction } from './dpm.js';
import { originalFrom, readEpsilon, readOriginal } from './estimates.js';
import { combine, f32, linspace, solve32 } from './math.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';
import { dynamicShift, shiftSigmas, stretchToTerminal } from './shift.js';
import { readSigmaSchedule } from './sigmas.js';

const expm132 = (x: number) => f32(Math.expm1(x));

/** @param steps 1 to num_train_timesteps */
export function uniPC(config: SchedulerConfig, steps: number, extras: ScheduleExtras): Scheduler {
  const order = config.integer('solver_order', 2, 1, 10);
  const predictionType = readDpmPrediction(config);
  const threshold = readThresholding(config);
  const onData = config.flag('predict_x0', true);
  // sister solvers' names mean bh2, as in diffusers
  const bh1 =
    config.choice('solver_type', 'bh2', ['bh1', 'bh2', 'midpoint', 'heun', 'logrho']) === 'bh1';
  const lowerOrderFinal = config.flag('lower_order_final', true);
  const uncorrected = new Set(config.optionalNumbers('disable_corrector', true) ?? []);
  if (config.isSet('solver_p')) config.reject('solver_p', 'null (no other predictor)');
  if (!onData && predictionType === 'flow_prediction') {
    config.reject('prediction_type', 'no flow with predict_x0 false');
  }
  const { timesteps, sigmas, flow } = noiseLevels(config, steps, extras);
  if (!onData && sigmas.at(-1) === 0) {
    config.reject('final_sigmas_type', '"sigma_min" with predict_x0 false');
  }
  const levels = Array.from(sigmas, (sigma) => levelOf(sigma, flow));
  const calls = timesteps.length;

  /** converted outputs (x0 or epsilon) of the last `order` calls, newest last */
  let outputs: (Float32Array | null)[] = new Array(order).fill(null);
  /** calls made in this run, counted up to the order */
  let known = 0;
  /** the order of the last prediction, and the x that it started from */
  let lastOrder = 0;
  let lastSample: Float32Array | null = null;

  /**
   * x at level i carried to level i + 1: an exponential Euler step and the differences to earlier
   * outputs (and to that at level i + 1, `corrected`), whose weights rho solve R rho = b.
   */
  function advance(
    i: number,
    used: number,
    x: Float32Array,
    corrected: Float32Array | null,
  ): Float32Array {
    const [s, t] = [levels[i]!, levels[i + 1]!];
    const m0 = outputs.at(-1)!;
    const h = f32(t.lambda - s.lambda);
    const hh = onData ? -h : h;
    const phi1 = expm132(hh);
    const B = bh1 ? hh : phi1;

    const ratios: number[] = [];
    const differences: Float32Array[] = [];
    for (let k = 1; k < used; k++) {
      const r = f32(f32(levels[i - k]!.lambda - s.lambda) / h);
      ratios.push(r);
      const D = combine([1, outputs.at(-1 - k)!], [-1, m0]);
      differences.push(D.map((value) => value / r));
    }
    let weights: number[] = [];
    if (corrected !== null) {
      weights = used === 1 ? [0.5] : unknowns([...ratios, 1], hh, phi1, B);
      differences.push(combine([1, corrected], [-1, m0]));
    } else if (used === 2) weights = [0.5];
    else if (used > 2) weights = unknowns(ratios, hh, phi1, B);

    const [k, scale] = onData
      ? [f32(t.sigma / s.sigma), t.alpha]
      : [f32(t.alpha / s.alpha), t.sigma];
    const euler = combine([k, x], [-f32(scale * phi1), m0]);
    if (differences.length === 0) return euler;
    const [first, ...rest] = differences.map((D, j) => [weights[j]!, D] as const);
    return combine([1, euler], [-f32(scale * B), combine(first!, ...rest)]);
  }

  return {
    flow: predictionType === 'flow_prediction',
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample) {
      const level = levels[i]!;
      let m: Float32Array;
      let x0: Float32Array;
      if (onData || predictionType === 'flow_prediction') {
        m = threshold(readOriginal(predictionType, modelOutput, sample, level, sigmas[i]!));
        x0 = m;
      } else {
        m = readEpsilon(predictionType, modelOutput, sample, level);
        x0 = originalFrom(m, sample, level);
      }
      let x: Float32Array = Float32Array.from(sample);
      if (i > 0 && lastSample !== null && !uncorrected.has(i - 1)) {
        x = advance(i - 1, lastOrder, lastSample, m);
      }
      outputs = [...outputs.slice(1), m];

      let used = Math.min(order, known + 1);
      if (lowerOrderFinal) used = Math.min(used, calls - i);
      // differences have no weight in a step to sigma 0, which is infinitely long in lambda, and
      // none in a step of no length (to sigma_min, from it)
      if (sigmas[i + 1] === 0 || sigmas[i + 1] === sigmas[i]) used = 1;
      const previous = advance(i, used, x, null);
      lastOrder = used;
      lastSample = x;
      known = Math.min(known + 1, order);
      return { previous, predictedOriginal: Float32Array.from(x0) };
    },

    addNoise: (original, noise, i) =>
      combine([levels[i]!.alpha, original], [levels[i]!.sigma, noise]),
    sigmaAfter: (i) => sigmas[i + 1],
    state: () => ({ known, lastOrder, outputs: [...outputs], lastSample: [lastSample] }),
    restore(state) {
      known = state.known as number;
      lastOrder = state.lastOrder as number;
      outputs = [...(state.outputs as readonly (Float32Array | null)[])];
      [lastSample = null] = state.lastSample as readonly (Float32Array | null)[];
    },
  };
}

/** rho of R rho = b, equation 11: R[i][j] = r_j^i and b[i] = i! phi_(i + 1)(h) h^(i + 1) / B(h). */
function unknowns(ratios: readonly number[], hh: number, phi1: number, B: number): number[] {
  const R: number[][] = [];
  const b: number[] = [];
  let phi = f32(f32(phi1 / hh) - 1);
  let factorial = 1;
  for (let i = 0; i < ratios.length; i++) {
    R.push(ratios.map((r) => f32(r ** i)));
    b.push(f32(f32(phi * factorial) / B));
    factorial *= i + 2;
    phi = f32(f32(phi / hh) - f32(1 / factorial));
  }
  return solve32(R, b);
}

/** The timesteps (whole numbers) and the sigmas (one more: where the run ends). */
function noiseLevels(
  config: SchedulerConfig,
  n: number,
  extras: ScheduleExtras,
): { timesteps: readonly number[]; sigmas: Float32Array; flow: boolean } {
  const endsAtZero = config.choice('final_sigmas_type', 'zero', ['zero', 'sigma_min']) === 'zero';
  const flow = config.flag('use_flow_sigmas', false);
  const terminal = config.optionalNumber('shift_terminal');
  if (terminal !== undefined && !flow) {
    config.reject('shift_terminal', 'null without use_flow_sigmas');
  }
  const trainSteps = config.integer('num_train_timesteps', 1000, 1, 100_000);
  const schedule = readSigmaSchedule(config);
  if (!flow || schedule !== undefined) {
    const found = dpmSchedule(config, n, extras, {
      zeroSnr: true,
      spacing: true,
      flowSigmas: true,
    });
    let { timesteps, sigmas } = found;
    if (flow) {
      // from sigma of a variance-exploding path to that of a flow
      sigmas = sigmas.map((sigma) => sigma / (sigma + 1));
      timesteps = sigmas.map((sigma) => Math.trunc(sigma * trainSteps));
    }
    const least = found.rescheduled ? sigmas.at(-1)! : found.least;
    return { timesteps, sigmas: Float32Array.from([...sigmas, endsAtZero ? 0 : least]), flow };
  }

  const float64 = (x: number) => x;
  let sigmas = linspace(1, 1 / trainSteps, n + 1).slice(0, -1);
  if (config.flag('use_dynamic_shifting', false)) {
    const type = config.choice('time_shift_type', 'exponential', ['exponential', 'linear']);
    const { imageSequenceLength, maxShift } = extras;
    // No max_shift of its own: the pipeline's default counts.
    sigmas = dynamicShift(sigmas, config, type, imageSequenceLength, float64, maxShift);
  } else sigmas = shiftSigmas(sigmas, config.number('flow_shift', 1), float64);
  if (terminal) sigmas = stretchToTerminal(sigmas, terminal, float64);
  // at sigma 1 alpha is 0, whose logarithm is infinite
  if (Math.abs(sigmas[0]! - 1) < 1e-6) sigmas[0]! -= 1e-6;
  const timesteps = sigmas.map((sigma) => Math.trunc(sigma * trainSteps));
  const last = endsAtZero ? 0 : sigmas.at(-1)!;
  return { timesteps, sigmas: Float32Array.from([...sigmas, last]), flow };
}
