// The ways to ask for a picture: anew, again with other noise, or on from a step of an earlier one.

import type { OfferedModel } from '../engine/types.js';
import { UserError } from '../errors.js';
import type { GenerationParameters, InitImage } from '../pipeline/types.js';
import type { Generation } from '../store/types.js';
import { modelName } from './facts.js';
import type { Wish } from './generations.js';
import { ownerOfStep } from './lineage.js';
import { stepsGone } from './painting.js';
import { newSeed } from './parameters.js';
import type { Bot } from './types.js';

/**
 * How much of the way is kept before new noise comes in: late for a near copy, early for another
 * picture. What a picture becomes is settled within its first steps.
 */
export const BRANCH_AT = { subtle: 0.6, strong: 0.05 } as const;
export type Variation = keyof typeof BRANCH_AT;

/** Where chance is tried again to see how much it still decides. */
const CHANCE_AT = [0, 0.25, 0.5, 0.75];

/** @throws UserError 'count-range' */
export function checkCount(count: number): number {
  if (!Number.isInteger(count) || count < 1 || count > 4) {
    throw new UserError('count-range', 'count must be a whole number from 1 to 4.');
  }
  return count;
}

/** `count` pictures with seeds in a row, beginning again at 0 after the last there is. */
export function wishesFor(
  parameters: GenerationParameters,
  count: number,
  init?: InitImage,
): Wish[] {
  return Array.from({ length: count }, (_, index) => ({
    parameters: { ...parameters, seed: (parameters.seed + index) % 2 ** 32 },
    ...(init === undefined ? {} : { init, masked: init.mask !== undefined }),
  }));
}

/** The init image of an earlier picture, for a new one. */
export function initFrom(generation: Generation | undefined): Pick<Wish, 'init' | 'masked'> {
  if (!generation?.hasInit) return {};
  return { init: { from: generation.id }, masked: generation.hasMask };
}

/** The same parameters with new noise, from the same init image. */
export function rerollWish(parameters: GenerationParameters, parent: Generation | undefined): Wish {
  const again = { ...parameters, seed: newSeed() };
  return parent === undefined
    ? { parameters: again }
    : {
        parameters: again,
        ...initFrom(parent),
        parent: { id: parent.id, relation: 'reroll' },
      };
}

/**
 * The step that a vary button goes on from, 1 to total - 1 and among those that were done.
 * @throws UserError 'single-step'
 */
export function branchStep(generation: Generation, variation: Variation): number {
  return stepAt(generation, BRANCH_AT[variation]);
}

/**
 * The steps, early to late, after which new noise shows how late chance still matters.
 * @throws UserError 'single-step'
 */
export function chanceSteps(generation: Generation): number[] {
  return [...new Set(CHANCE_AT.map((part) => stepAt(generation, part)))];
}

function stepAt(generation: Generation, part: number): number {
  if (generation.stepTotal <= 1) {
    throw new UserError(
      'single-step',
      'This picture was painted in a single step, so it has none to branch from.',
    );
  }
  const last = Math.min(generation.stepIndex, generation.stepTotal - 1);
  return Math.min(Math.max(1, Math.round(generation.stepTotal * part)), last);
}

/**
 * New noise, of seed `seed`, after step `step` of a generation, be that a step of its own or one that
 * it has from the picture it branched from itself.
 * @throws UserError when the step is not kept or the model is another
 */
export async function branchWish(
  bot: Bot,
  info: OfferedModel,
  generation: Generation,
  step: number,
  relation: 'vary' | 'branch' | 'chance',
  seed: number,
): Promise<Wish> {
  if (generation.model !== modelName(info)) {
    throw new UserError(
      'model-changed',
      'The model of this picture was changed since; it can only be painted anew.',
    );
  }
  const owner = await ownerOfStep(bot.store, generation, step);
  if (owner === undefined || step < 1 || step >= owner.stepTotal) throw stepsGone();
  if ((await bot.store.step(owner.id, step)) === undefined) throw stepsGone();
  return {
    parameters: generation.parameters,
    ...initFrom(generation),
    parent: { id: generation.id, relation, branch: { step, seed } },
  };
}
