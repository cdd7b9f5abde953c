// How flow-matching schedules are shifted towards noise for large pictures: Esser et al. (Stable
// Diffusion 3), arXiv 2403.03206, section 5.3.2; Flux computes the shift from the picture's size.

import type { SchedulerConfig } from './config.js';
import type { ScheduleExtras } from './scheduler.js';

/** One rounding per operation: the identity for float64, Math.fround for float32. */
type Round = (x: number) => number;

/** A fixed shift: s sigma / (1 + (s - 1) sigma). */
export function shiftSigmas(sigmas: readonly number[], shift: number, round: Round): number[] {
  const s = round(shift);
  const more = round(shift - 1);
  return sigmas.map((sigma) => round(round(s * sigma) / round(1 + round(more * sigma))));
}

/**
 * mu, linear in the number of picture tokens, through (base_image_seq_len, base_shift) and
 * (max_image_seq_len, max_shift).
 * @param sequenceLength tokens of the picture; absent: max_image_seq_len
 * @param usualMax max_shift where the file has none
 */
export function shiftExponent(
  config: SchedulerConfig,
  sequenceLength: number | undefined,
  usualMax = 1.15,
): number {
  const baseLength = config.integer('base_image_seq_len', 256, 1);
  const maxLength = config.integer('max_image_seq_len', 4096, 1);
  const baseShift = config.number('base_shift', 0.5);
  const maxShift = config.number('max_shift', usualMax);
  if (maxLength === baseLength) config.reject('max_image_seq_len', 'more than base_image_seq_len');
  const slope = (maxShift - baseShift) / (maxLength - baseLength);
  return (sequenceLength ?? maxLength) * slope + (baseShift - slope * baseLength);
}

/** A shift by the picture's size: e^mu (or mu) / (e^mu + 1 / sigma - 1). */
export function dynamicShift(
  sigmas: readonly number[],
  config: SchedulerConfig,
  type: 'exponential' | 'linear',
  sequenceLength: number | undefined,
  round: Round,
  usualMax?: number,
): number[] {
  const mu = shiftExponent(config, sequenceLength, usualMax);
  const weight = round(type === 'exponential' ? Math.exp(mu) : mu);
  return sigmas.map((sigma) => round(weight / round(weight + round(round(1 / sigma) - 1))));
}

/** Stretches 1 - sigma so that the last sigma is `terminal` (LTX-Video). */
export function stretchToTerminal(
  sigmas: readonly number[],
  terminal: number,
  round: Round,
): number[] {
  const rest = sigmas.map((sigma) => round(1 - sigma));
  const scale = round(rest.at(-1)! / round(1 - terminal));
  // a single step at sigma 1 has nothing to stretch
  if (scale === 0) return [...sigmas];
  return rest.map((r) => round(1 - round(r / scale)));
}

/** flow_shift of the DPM-Solver family: the file's, or e^mu with use_dynamic_shifting. */
export function flowShift(config: SchedulerConfig, extras: ScheduleExtras): number {
  if (!config.flag('use_dynamic_shifting', false)) return config.number('flow_shift', 1);
  config.choice('time_shift_type', 'exponential', ['exponential']);
  // These classes have no max_shift of their own: the pipeline's default counts.
  return Math.exp(shiftExponent(config, extras.imageSequenceLength, extras.maxShift));
}
