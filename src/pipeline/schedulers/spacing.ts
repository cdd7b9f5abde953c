// Which training timesteps an inference run visits (arXiv 2305.08891, table 2).

import { UserError } from '../../errors.js';
import type { SchedulerConfig } from './config.js';
import { arangeDown, linspace, roundHalfEven } from './math.js';

export type Spacing = 'linspace' | 'leading' | 'trailing';

export function readSpacing(config: SchedulerConfig, fallback: Spacing): Spacing {
  return config.choice('timestep_spacing', fallback, ['linspace', 'leading', 'trailing']);
}

/**
 * n timesteps of 0 to T - 1, falling. linspace: both ends; leading: multiples of floor(T / n) from 0
 * plus the offset; trailing: from T - 1 downward.
 * @param fractional linspace keeps its fractions, as float32 (Euler), else rounds half to even
 */
export function spacedTimesteps(
  spacing: Spacing,
  trainSteps: number,
  n: number,
  offset: number,
  fractional: boolean,
): number[] {
  if (spacing === 'linspace') {
    const round = fractional ? Math.fround : roundHalfEven;
    return linspace(0, trainSteps - 1, n)
      .map(round)
      .reverse();
  }
  if (spacing === 'leading') {
    const ratio = Math.floor(trainSteps / n);
    return Array.from({ length: n }, (_, i) => (n - 1 - i) * ratio + offset);
  }
  return arangeDown(trainSteps, trainSteps / n).map((t) => roundHalfEven(t) - 1);
}

/**
 * The timesteps of distilled models, falling: of the `original` ones that the distillation saw
 * (multiples of floor(T / original), less 1), n evenly spaced over the lowest part that `strength`
 * leaves.
 * @param n 1 to original
 * @param strength above 0 to 1
 * @throws UserError 'steps-for-strength' when fewer than n are left
 */
export function distilledTimesteps(
  trainSteps: number,
  original: number,
  n: number,
  strength = 1,
): number[] {
  const stride = Math.floor(trainSteps / original);
  const left = Math.trunc(original * strength);
  if (left < n) {
    throw new UserError(
      'steps-for-strength',
      `With a strength of ${strength} this model can do at most ${left} ${left === 1 ? 'step' : 'steps'}, not ${n}; take fewer steps or a greater strength.`,
      { strength, steps: n, max: left },
    );
  }
  return Array.from({ length: n }, (_, i) => (left - Math.floor(i * (left / n))) * stride - 1);
}
