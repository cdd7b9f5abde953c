// What stands in the buttons of /steps, and which steps branch buttons go on from.

import { expect, test } from 'vitest';
import {
  FIRST_VIEW,
  frameChoices,
  readView,
  type View,
  viewId,
  withChoice,
} from '../../src/commands/evolution.js';
import { branchStep, chanceSteps, checkCount, wishesFor } from '../../src/commands/wishes.js';
import { parseCustomId } from '../../src/discord/custom-id.js';
import type { Generation } from '../../src/store/types.js';

test('a view in a custom id is read back as it was', () => {
  for (const kind of ['sheet', 'animation', 'changes', 'step'] as const) {
    for (const order of ['reading', 'condensing'] as const) {
      for (const show of ['prediction', 'latents'] as const) {
        const view: View = { kind, frames: 25, order, show, step: 17 };
        const pressed = parseCustomId(viewId('abc', view, 'here'));
        expect(readView(pressed?.args ?? [])).toEqual(view);
      }
    }
  }
});

test('what cannot be understood becomes the first view, what is out of range the nearest', () => {
  expect(readView([])).toEqual(FIRST_VIEW);
  expect(readView(['?', 'many', '!', '', '-5'])).toEqual({ ...FIRST_VIEW, step: 0 });
  expect(readView(['s', '1000', 'r', 'p', '3']).frames).toBe(64);
  expect(readView(['s', '1', 'r', 'p', '3']).frames).toBe(4);
});

function steps(stepIndex: number, stepTotal: number): Generation {
  return { stepIndex, stepTotal } as Generation;
}

test('subtle goes on late, strong early, and never from a step that was not done or was the last', () => {
  expect(branchStep(steps(50, 50), 'subtle')).toBe(30);
  expect(branchStep(steps(50, 50), 'strong')).toBe(3);
  expect(branchStep(steps(20, 20), 'strong')).toBe(1);
  expect(branchStep(steps(2, 2), 'strong')).toBe(1);
  expect(branchStep(steps(2, 2), 'subtle')).toBe(1);
  expect(branchStep(steps(12, 50), 'subtle')).toBe(12);
  expect(branchStep(steps(5, 5), 'subtle')).toBe(3);
});

test('chance is tried early, at every quarter of the way, and at no step twice', () => {
  expect(chanceSteps(steps(20, 20))).toEqual([1, 5, 10, 15]);
  expect(chanceSteps(steps(50, 50))).toEqual([1, 13, 25, 38]);
  expect(chanceSteps(steps(3, 3))).toEqual([1, 2]);
  expect(chanceSteps(steps(7, 20))).toEqual([1, 5, 7]);
  expect(() => chanceSteps(steps(1, 1))).toThrow(/single step/);
});

test('what is chosen in a list of /steps is a step to look at, or how many frames there are', () => {
  const sheet: View = { ...FIRST_VIEW, step: 3 };
  expect(withChoice(sheet, '16')).toEqual({ ...sheet, frames: 16 });
  const step: View = { ...FIRST_VIEW, kind: 'step', step: 3 };
  expect(withChoice(step, '16')).toEqual({ ...step, step: 16 });
  expect(withChoice(step, 'none')).toEqual(step);
});

test('a picture of one step says that it has none to branch from', () => {
  for (const strength of ['subtle', 'strong'] as const) {
    expect(() => branchStep(steps(1, 1), strength)).toThrow(/single step.*none to branch from/);
  }
  expect(branchStep(steps(1, 20), 'subtle')).toBe(1);
});

test('seeds of several pictures follow each other and begin again after the last', () => {
  const parameters = {
    prompt: '',
    negativePrompt: '',
    seed: 2 ** 32 - 2,
    steps: 1,
    guidanceScale: 1,
    width: 8,
    height: 8,
  };
  expect(wishesFor(parameters, 4).map((wish) => wish.parameters.seed)).toEqual([
    4_294_967_294, 4_294_967_295, 0, 1,
  ]);
  expect(() => checkCount(5)).toThrow('1 to 4');
  expect(() => checkCount(0)).toThrow('1 to 4');
  expect(() => checkCount(1.5)).toThrow('1 to 4');
});

test('a sheet is offered as many frames as there are steps at most, and all of them where they fit', () => {
  expect(frameChoices(9, 20)).toEqual([4, 9, 16, 20]);
  expect(frameChoices(9, 50)).toEqual([4, 9, 16, 25, 36, 49, 50]);
  expect(frameChoices(12, 150)).toEqual([4, 9, 12, 16, 25, 36, 49, 64]);
  expect(frameChoices(4, 2)).toEqual([2]);
  expect(frameChoices(9, 1)).toEqual([1]);
});
