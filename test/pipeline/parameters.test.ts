// What may be asked for, at the edges.

import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { checkParameters, type GenerationParameters } from '../../src/pipeline/index.js';
import { sizeLike, sizeOfRatio } from '../../src/pipeline/parameters.js';

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
    { guidanceScale: 0 },
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
    [{ guidanceScale: -0.1 }, /guidance.*0 to 30/],
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

describe('the size for an init image', () => {
  const info = { sizeMultiple: 8, defaultWidth: 512, defaultHeight: 512 };
  const like = (width: number, height: number, given = {}) => {
    const size = sizeLike({ width, height }, info, given);
    return `${size.width}x${size.height}`;
  };

  it('is its own where the model can paint that, to the next multiple', () => {
    expect(like(512, 768)).toBe('512x768');
    expect(like(640, 431)).toBe('640x424');
  });

  it("keeps its proportions at about the model's number of pixels otherwise", () => {
    expect(like(4000, 3000)).toBe('576x432');
    expect(like(100, 100)).toBe('512x512');
    expect(like(60_000, 60)).toBe('2048x80');
  });

  it('is not its own where whole multiples would change its proportions', () => {
    const coarse = { sizeMultiple: 64, defaultWidth: 256, defaultHeight: 256 };
    expect(sizeLike({ width: 300, height: 100 }, coarse)).toEqual({ width: 384, height: 128 });
    expect(sizeLike({ width: 384, height: 256 }, coarse)).toEqual({ width: 384, height: 256 });
  });

  it('takes the sides that are given', () => {
    expect(like(4000, 3000, { width: 400 })).toBe('400x304');
    expect(like(4000, 3000, { height: 300 })).toBe('400x300');
    expect(like(4000, 3000, { width: 512, height: 512 })).toBe('512x512');
  });
});

describe('a size of given proportions', () => {
  const coarse = { sizeMultiple: 64, defaultWidth: 256, defaultHeight: 256 };
  const of = (ratio: number, info = coarse) => {
    const { width, height } = sizeOfRatio(ratio, info);
    return `${width}x${height}`;
  };

  it.each([
    [4 / 3, '256x192'],
    [3 / 4, '192x256'],
    [3 / 2, '384x256'],
    [3, '384x128'],
    [1 / 3, '128x384'],
    [1, '256x256'],
    [16 / 9, '320x192'],
  ])('has both sides chosen together on a coarse grid: %f is %s', (ratio, size) => {
    expect(of(ratio)).toBe(size);
  });

  it.each([
    [4 / 3, '576x432'],
    [3 / 2, '624x416'],
    [1000 / 700, '616x432'],
  ])('keeps them where the grid is fine: %f is %s', (ratio, size) => {
    expect(of(ratio, { sizeMultiple: 8, defaultWidth: 512, defaultHeight: 512 })).toBe(size);
  });

  it("has about the model's number of pixels wherever the sides allow it", () => {
    for (const ratio of [1 / 100, 1 / 7, 0.4, 0.9, 1.2, 2.5, 6, 10, 100]) {
      const { width, height } = sizeOfRatio(ratio, coarse);
      const area = (width * height) / 256 ** 2;
      expect(area).toBeGreaterThanOrEqual(0.6);
      expect(area).toBeLessThanOrEqual(1.5);
    }
    // One multiple alone fits: there is nothing to choose.
    expect(sizeOfRatio(3, coarse, { min: 64, max: 64 })).toEqual({ width: 64, height: 64 });
  });
});
