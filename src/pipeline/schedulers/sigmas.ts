// Sigma schedules of k-diffusion: Karras, exponential, beta; and the timestep that a sigma lies at.

import type { SchedulerConfig } from './config.js';
import { betaQuantile, f32, linspace, numpyLog32 } from './math.js';

export type SigmaSchedule = 'karras' | 'exponential' | 'beta' | undefined;

/** Reads use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas: at most one. */
export function readSigmaSchedule(config: SchedulerConfig): SigmaSchedule {
  const chosen = (['karras', 'exponential', 'beta'] as const).filter((name) =>
    config.flag(`use_${name}_sigmas`, false),
  );
  if (chosen.length > 1) {
    config.reject(
      `use_${chosen[1]}_sigmas`,
      `false, since use_${chosen[0]}_sigmas is true and only one of the two can hold`,
    );
  }
  return chosen[0];
}

/**
 * n sigmas falling from `max` to `min`, float64.
 * Karras: arXiv 2206.00364, equation 5, rho 7. Exponential: even in log sigma. Beta: quantiles of
 * Beta(0.6, 0.6), arXiv 2407.12173.
 */
export function scheduledSigmas(
  schedule: NonNullable<SigmaSchedule>,
  min: number,
  max: number,
  n: number,
): number[] {
  if (schedule === 'karras') {
    const rho = 7;
    const from = max ** (1 / rho);
    const to = min ** (1 / rho);
    return linspace(0, 1, n).map((ramp) => (from + ramp * (to - from)) ** rho);
  }
  if (schedule === 'exponential') return linspace(Math.log(max), Math.log(min), n).map(Math.exp);
  return linspace(0, 1, n).map((ramp) => min + betaQuantile(1 - ramp, 0.6) * (max - min));
}

/** The fractional timestep at which training met `sigma`, linear in log sigma. */
export function sigmaToTimestep(sigma: number, logSigmas: Float32Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  const low = lowerNeighbour(logSigma, logSigmas);
  const a = logSigmas[low]!;
  const w = Math.min(Math.max((a - logSigma) / f32(a - logSigmas[low + 1]!), 0), 1);
  return (1 - w) * low + w * (low + 1);
}

/** The same with every operation rounded to float32, as for a sigma that is a tensor. */
export function sigmaToTimestep32(sigma: number, logSigmas: Float32Array): number {
  const logSigma = numpyLog32(Math.max(sigma, f32(1e-10)));
  const low = lowerNeighbour(logSigma, logSigmas);
  const a = logSigmas[low]!;
  const ratio = f32(f32(a - logSigma) / f32(a - logSigmas[low + 1]!));
  const w = Math.min(Math.max(ratio, 0), 1);
  return f32(f32(f32(1 - w) * low) + f32(w * (low + 1)));
}

/** The last timestep whose sigma is not above, and that has a next one. */
function lowerNeighbour(logSigma: number, logSigmas: Float32Array): number {
  let low = 0;
  for (let i = 0; i < logSigmas.length; i++) if (logSigma >= logSigmas[i]!) low = i;
  return Math.min(low, logSigmas.length - 2);
}
