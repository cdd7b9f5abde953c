// What the solvers of the DPM-Solver family share: the levels of a run in the variance-preserving
// view x = alpha x0 + sigma epsilon, and the readings of a model's output there. Lu et al., DPM-Solver
// (arXiv 2206.00927) and DPM-Solver++ (2211.01095).

import { forwardProcess, trainSigmas } from './betas.js';
import type { SchedulerConfig } from './config.js';
import type { Mixture, Prediction } from './estimates.js';
import {
  arangeDown,
  exp32,
  f32,
  interpolate,
  linspace,
  log32,
  numpyLog32,
  roundHalfEven,
  sqrt32,
} from './math.js';
import type { ScheduleExtras } from './scheduler.js';
import { flowShift } from './shift.js';
import { readSigmaSchedule, scheduledSigmas, sigmaToTimestep } from './sigmas.js';
import { readSpacing } from './spacing.js';

/** A point of the noise schedule: x = alpha x0 + sigma epsilon, lambda = log(alpha / sigma). */
export interface Level extends Mixture {
  readonly lambda: number;
}

/** @param flow whether sigma belongs to x = (1 - sigma) x0 + sigma epsilon */
export function levelOf(sigma: number, flow: boolean): Level {
  const alpha = flow ? f32(1 - sigma) : f32(1 / sqrt32(f32(f32(sigma * sigma) + 1)));
  const scaled = flow ? sigma : f32(sigma * alpha);
  return { alpha, sigma: scaled, lambda: f32(log32(alpha) - log32(scaled)) };
}

export const readDpmPrediction = (config: SchedulerConfig): Prediction =>
  config.choice('prediction_type', 'epsilon', [
    'epsilon',
    'v_prediction',
    'sample',
    'flow_prediction',
  ]);

export type DpmAlgorithm = 'dpmsolver' | 'dpmsolver++' | 'sde-dpmsolver' | 'sde-dpmsolver++';

/** Weights of one step: of x, of the prediction and its first two derivatives, and of fresh noise. */
export interface DpmWeights {
  readonly x: number;
  readonly D0: number;
  readonly D1: number;
  readonly D2: number;
  readonly z: number;
}

/**
 * The integrals of exp(lambda) times 1, lambda and lambda^2 / 2 from level s to level t in closed
 * form: DPM-Solver (noise prediction, equation 3.4) or DPM-Solver++ (data prediction, equation 9),
 * as ODE or SDE.
 */
export function dpmWeights(algorithm: DpmAlgorithm, s: Level, t: Level): DpmWeights {
  const h = f32(t.lambda - s.lambda);
  if (algorithm === 'dpmsolver++') {
    const e = f32(exp32(-h) - 1);
    return {
      x: f32(t.sigma / s.sigma),
      D0: -f32(t.alpha * e),
      D1: f32(t.alpha * f32(f32(e / h) + 1)),
      D2: -f32(t.alpha * f32(f32(f32(e + h) / f32(h * h)) - 0.5)),
      z: 0,
    };
  }
  if (algorithm === 'sde-dpmsolver++') {
    const e = f32(1 - exp32(-2 * h));
    return {
      x: f32(f32(t.sigma / s.sigma) * exp32(-h)),
      D0: f32(t.alpha * e),
      D1: f32(t.alpha * f32(f32(e / f32(-2 * h)) + 1)),
      D2: f32(t.alpha * f32(f32(f32(e - 2 * h) / f32(f32(2 * h) ** 2)) - 0.5)),
      z: f32(t.sigma * sqrt32(e)),
    };
  }
  const e = f32(exp32(h) - 1);
  const stochastic = algorithm === 'sde-dpmsolver';
  const twice = stochastic ? 2 : 1;
  return {
    x: f32(t.alpha / s.alpha),
    D0: -twice * f32(t.sigma * e),
    D1: -twice * f32(t.sigma * f32(f32(e / h) - 1)),
    D2: -f32(t.sigma * f32(f32(f32(e - h) / f32(h * h)) - 0.5)),
    z: stochastic ? f32(t.sigma * sqrt32(f32(exp32(2 * h) - 1))) : 0,
  };
}

/** What of a schedule differs between the classes. */
export interface DpmScheduleOptions {
  /** the class knows rescale_betas_zero_snr */
  readonly zeroSnr?: boolean;
  /** the class knows timestep_spacing; without it timesteps are always spaced evenly (linspace) */
  readonly spacing?: boolean;
  /** the class knows lambda_min_clipped */
  readonly clipsLambda?: boolean;
  /** the class knows use_lu_lambdas, and does not round Karras timesteps on the cosine schedule */
  readonly multistep?: boolean;
  /** the class turns scheduled sigmas into those of a flow by itself */
  readonly flowSigmas?: boolean;
}

export interface DpmSchedule {
  /** whole numbers, one for each call */
  readonly timesteps: readonly number[];
  /** one for each call, float64: without the final one */
  readonly sigmas: readonly number[];
  /** the sigma of training timestep 0, float32 */
  readonly least: number;
  /** whether sigmas come from elsewhere than the timesteps */
  readonly rescheduled: boolean;
  /** the sigmas are those of a flow */
  readonly flow: boolean;
}

/** The timesteps and sigmas of a run. */
export function dpmSchedule(
  config: SchedulerConfig,
  n: number,
  extras: ScheduleExtras,
  options: DpmScheduleOptions,
): DpmSchedule {
  const { trainSteps, alphasCumprod, betaSchedule } = forwardProcess(config, {
    zeroSnr: options.zeroSnr === true,
    floor: true,
  });
  const trained = trainSigmas(alphasCumprod);
  const logSigmas = trained.map(numpyLog32);
  const least = trained[0]!;
  const schedule = readSigmaSchedule(config);
  const flow = config.flag('use_flow_sigmas', false);
  const min = config.optionalNumber('sigma_min') ?? least;
  const max = config.optionalNumber('sigma_max') ?? trained.at(-1)!;
  const lu = options.multistep === true && config.flag('use_lu_lambdas', false);
  // the cosine schedule's tail is too steep for whole timesteps, as the multistep class has it
  const onGrid = !(options.multistep === true && betaSchedule === 'squaredcos_cap_v2');

  if (flow && (schedule !== undefined || lu) && options.flowSigmas !== true && max >= 1) {
    config.reject('use_flow_sigmas', 'false with Karras, exponential, beta or lu sigmas');
  }

  let sigmas: readonly number[];
  if (schedule !== undefined && (schedule === 'karras' || !lu)) {
    sigmas = scheduledSigmas(schedule, min, max, n);
  } else if (lu) {
    // even in lambda (DPM-Solver, section 3.4)
    const [from, to] = [logSigmas.at(-1)!, logSigmas[0]!];
    sigmas = linspace(0, 1, n).map((ramp) => Math.exp(from + ramp * (to - from)));
  } else if (flow) {
    const shift = flowShift(config, extras);
    sigmas = linspace(1, 1 / trainSteps, n + 1)
      .map((alpha) => (shift * (1 - alpha)) / (1 + (shift - 1) * (1 - alpha)))
      .reverse()
      .slice(0, -1);
    const timesteps = sigmas.map((sigma) => Math.trunc(sigma * trainSteps));
    return { timesteps, sigmas, least, rescheduled: true, flow };
  } else {
    const timesteps = spaced(config, alphasCumprod, trainSteps, n, options);
    sigmas = timesteps.map((t) => interpolate(t, trained));
    return { timesteps, sigmas, least, rescheduled: false, flow };
  }
  const round = (schedule === 'karras' || lu) && onGrid ? roundHalfEven : Math.trunc;
  const timesteps = sigmas.map((sigma) => round(sigmaToTimestep(sigma, logSigmas)));
  return { timesteps, sigmas, least, rescheduled: true, flow };
}

/** Unlike the other schedulers', the grid has n + 1 points of which the last, 0, is dropped. */
function spaced(
  config: SchedulerConfig,
  alphasCumprod: Float32Array,
  trainSteps: number,
  n: number,
  options: DpmScheduleOptions,
): number[] {
  const spacing = options.spacing === true ? readSpacing(config, 'linspace') : 'linspace';
  const offset = config.integer('steps_offset', 0, 0);
  // the noisiest timesteps are left out where lambda falls below its limit
  const lambdaMin =
    options.clipsLambda === true
      ? f32(config.number('lambda_min_clipped', Number.NEGATIVE_INFINITY))
      : Number.NEGATIVE_INFINITY;
  const clipped = alphasCumprod.reduce(
    (count, a) => count + (f32(log32(sqrt32(a)) - log32(sqrt32(f32(1 - a)))) < lambdaMin ? 1 : 0),
    0,
  );
  const top = trainSteps - clipped;
  if (top < 1) config.reject('lambda_min_clipped', 'less than the lambda of some timestep');
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
