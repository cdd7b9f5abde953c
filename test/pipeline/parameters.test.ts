// What may be asked for, at the edges.

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { checkParameters, type GenerationParameters } from '../../src/pipeline/index.js';

const GOOD: GenerationParameters = {
  prompt: 'a fox',
  negativePrompt: '',
  seed: 0,
  steps: 20,
  guidanceScale: 7.5,
  width: 512,
  height: 512,
};
const check = (change: object) => checkParameters({ ...GOOD, ...change }, { sizeMultiple: 8 });

describe('takes', () => {
  it.each([
    { seed: 2 ** 32 - 1 },
    { steps: 1 },
    { steps: 150 },
    { guidanceScale: 1 },
    { guidanceScale: 30 },
    { width: 64, height: 2048 },
    { prompt: '' },
    { prompt: 'x'.repeat(6000) },
    { prompt: '🦊'.repeat(6000) },
    { scheduler: 'LCM' },
  ])('%j', (change) => {
    expect(check(change)).toMatchObject(change);
  });
});

describe('refuses, saying what is wrong and what is allowed', () => {
  it.each([
    [{ seed: -1 }, /seed.*0 to 4294967295.*-1/],
    [{ seed: 2 ** 32 }, /seed/],
    [{ seed: 1.5 }, /seed/],
    [{ seed: Number.NaN }, /seed/],
    [{ steps: 0 }, /steps.*1 to 150/],
    [{ steps: 151 }, /steps/],
    [{ guidanceScale: 0.9 }, /guidance.*1 to 30/],
    [{ guidanceScale: Number.NaN }, /guidance/],
    [{ width: 513 }, /multiples of 8.*512x512/],
    [{ width: 56 }, /64 to 2048/],
    [{ height: 2056 }, /64 to 2048/],
    [{ width: Number.POSITIVE_INFINITY }, /64 to 2048/],
    [{ prompt: 'x'.repeat(6001) }, /at most 6000.*6001/],
    [{ negativePrompt: 'x'.repeat(6001) }, /negative prompt.*6000/],
    [{ scheduler: 'Nope' }, /DDIM/],
  ] as const)('%j', (change, message) => {
    expect(() => check(change)).toThrow(UserError);
    expect(() => check(change)).toThrow(message);
  });
});
