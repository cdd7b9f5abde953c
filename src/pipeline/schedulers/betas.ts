// The forward process: betas and the cumulative products of alpha, bit-equal to torch's float32.

import type { SchedulerConfig } from './config.js';
import { exp32, f32, linspace32, sqrt32 } from './math.js';

export interface ForwardProcess {
  /** T, the number of training timesteps */
  readonly trainSteps: number;
  /** alpha-bar of timestep 0 to T - 1, float32 */
  readonly alphasCumprod: Float32Array;
  readonly betaSchedule: BetaSchedule;
}

/** what every class knows */
const COMMON_SCHEDULES = ['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const;
const BETA_SCHEDULES = [...COMMON_SCHEDULES, 'exp', 'laplace', 'sigmoid'] as const;
type BetaSchedule = (typeof BETA_SCHEDULES)[number];

export interface ForwardOptions {
  readonly betaStart?: number;
  readonly betaEnd?: number;
  readonly schedule?: 'linear' | 'scaled_linear';
  /** schedules that the class knows besides linear, scaled_linear and squaredcos_cap_v2 */
  readonly moreSchedules?: readonly BetaSchedule[];
  /** whether the class knows rescale_betas_zero_snr at all */
  readonly zeroSnr?: boolean;
  /** lifts a last alpha-bar of 0 to 2^-24, so that the first sigma is finite */
  readonly floor?: boolean;
}

/**
 * Reads num_train_timesteps, beta_start, beta_end, beta_schedule, trained_betas and (where the class
 * has it) rescale_betas_zero_snr. Options are the class's own defaults.
 */
export function forwardProcess(
  config: SchedulerConfig,
  options: ForwardOptions = {},
): ForwardProcess {
  const asked = config.integer('num_train_timesteps', 1000, 1, 100_000);
  const trained = config.optionalNumbers('trained_betas');
  const start = config.number('beta_start', options.betaStart ?? 0.0001, 0, 1);
  const end = config.number('beta_end', options.betaEnd ?? 0.02, 0, 1);
  const known = [...COMMON_SCHEDULES, ...(options.moreSchedules ?? [])];
  const schedule = config.choice<BetaSchedule>(
    'beta_schedule',
    options.schedule ?? 'linear',
    // betas that a file brings along need no schedule, whatever it says
    trained === undefined ? known : BETA_SCHEDULES,
  );
  if (trained !== undefined && trained.length < asked) {
    config.reject('trained_betas', `num_train_timesteps (${asked}) of them`);
  }

  let betas: Float32Array;
  if (trained !== undefined) betas = Float32Array.from(trained);
  else if (schedule === 'linear') betas = linspace32(start, end, asked);
  else if (schedule === 'scaled_linear') {
    betas = linspace32(Math.sqrt(start), Math.sqrt(end), asked).map((x) => x * x);
  } else if (schedule === 'sigmoid') {
    const scale = f32(end - start);
    betas = linspace32(-6, 6, asked).map(
      (x) => f32(f32(1 / f32(1 + exp32(-x))) * scale) + f32(start),
    );
  } else betas = betasOf(ALPHA_BAR[schedule], asked);

  const zeroSnr = options.zeroSnr === true && config.flag('rescale_betas_zero_snr', false);
  if (zeroSnr) betas = rescaleToZeroSnr(betas);
  const alphasCumprod = cumulativeProduct(betas.map((beta) => 1 - beta));
  if (zeroSnr && options.floor === true) alphasCumprod[alphasCumprod.length - 1] = 2 ** -24;
  return { trainSteps: asked, alphasCumprod, betaSchedule: schedule };
}

/** Sigmas of the variance-exploding view, sqrt((1 - alpha-bar) / alpha-bar), rising with t. */
export function trainSigmas(alphasCumprod: Float32Array): Float32Array {
  return alphasCumprod.map((a) => sqrt32(f32(f32(1 - a) / a)));
}

/**
 * alpha-bar of timestep t; beyond the last one, where an offset may lead, that of the last. The
 * rounding of numpy.arange makes a trailing schedule end at -1 now and then, which Python reads as
 * the last one too.
 */
export const alphaAt = (alphasCumprod: Float32Array, t: number): number =>
  alphasCumprod.at(t) ?? alphasCumprod.at(-1)!;

/** alpha-bar over time, 0 to 1 */
const ALPHA_BAR = {
  /** Improved DDPM, arXiv 2102.09672, equation 17 */
  squaredcos_cap_v2: (t: number) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2,
  exp: (t: number) => Math.exp(-12 * t),
  /** Hang et al., arXiv 2407.03297: a Laplace distribution of log SNR */
  laplace: (t: number) => {
    const lambda = -0.5 * (t > 0.5 ? -1 : 1) * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6);
    const snr = Math.exp(lambda);
    return Math.sqrt(snr / (1 + snr));
  },
} as const;

/** The betas that make alpha-bar, each at most 0.999. */
function betasOf(alphaBar: (t: number) => number, n: number): Float32Array {
  return Float32Array.from({ length: n }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / n) / alphaBar(i / n), 0.999),
  );
}

/** Accumulates in float64 and rounds every entry, as torch.cumprod does on the CPU. */
function cumulativeProduct(alphas: Float32Array): Float32Array {
  let product = 1;
  return alphas.map((alpha) => {
    product *= alpha;
    return product;
  });
}

/** Lin et al. 2023 (arXiv 2305.08891), algorithm 1: the last step carries no signal. */
function rescaleToZeroSnr(betas: Float32Array): Float32Array {
  const root = cumulativeProduct(betas.map((beta) => 1 - beta)).map(Math.sqrt);
  const first = root[0]!;
  const last = root[root.length - 1]!;
  const scale = f32(first / f32(first - last));
  const alphaBar = root.map((r) => {
    const shifted = f32(f32(r - last) * scale);
    return shifted * shifted;
  });
  return alphaBar.map((a, i) => 1 - (i === 0 ? a : f32(a / alphaBar[i - 1]!)));
}
