// From what is typed to what a model paints within the limits of its host.

import { describe, expect, test } from 'vitest';
import {
  commonSizes,
  limitsWithin,
  nearestSize,
  parametersFor,
  parseNumber,
  usualSize,
  usualSizeOfRatio,
} from '../../src/commands/parameters.js';
import { UserError } from '../../src/errors.js';
import { LIMITS } from '../../src/pipeline/parameters.js';
import { type ModelFacts, SCHEDULER_NAMES } from '../../src/pipeline/types.js';

const MODEL: ModelFacts = {
  name: 'wide',
  directory: '/models/wide',
  family: 'sd',
  precision: 'fp32',
  latentChannels: 4,
  vaeScale: 8,
  sizeMultiple: 8,
  defaultWidth: 768,
  defaultHeight: 512,
  defaultSteps: 30,
  defaultGuidanceScale: 7.5,
  defaultScheduler: 'PNDM',
};
const FLOW_MODEL: ModelFacts = { ...MODEL, family: 'sd3', defaultScheduler: 'Flow match Euler' };
const rules = (most = { steps: 150, side: 2048 }) =>
  ({ limits: limitsWithin(most), noise: 'cpu', weighting: false }) as const;

test('limits of a host narrow those of the pipeline and never widen them', () => {
  expect(limitsWithin({ steps: 20, side: 512 })).toMatchObject({
    steps: { min: 1, max: 20 },
    side: { min: 64, max: 512 },
  });
  expect(limitsWithin({ steps: 9999, side: 9999 }).side.max).toBe(LIMITS.side.max);
  expect(limitsWithin({ steps: 9999, side: 9999 }).steps.max).toBe(LIMITS.steps.max);
});

describe('sizes', () => {
  const limits = limitsWithin({ steps: 150, side: 384 });

  test('where the model is larger than allowed its proportions are kept', () => {
    expect(usualSize(MODEL, limitsWithin({ steps: 1, side: 2048 }))).toEqual({
      width: 768,
      height: 512,
    });
    expect(usualSize(MODEL, limits)).toEqual({ width: 384, height: 256 });
  });

  test('every size that is offered is one that is taken', () => {
    for (const side of [64, 100, 384, 512, 2048]) {
      const narrow = rules({ steps: 150, side });
      for (const size of commonSizes(MODEL, narrow.limits)) {
        expect(() => parametersFor({ prompt: '', size }, MODEL, narrow)).not.toThrow();
      }
    }
  });

  test('proportions are met as nearly as the grid allows, and never leave it', () => {
    for (const ratio of [0.01, 0.2, 0.75, 1, 1.777, 5, 100]) {
      const { width, height } = usualSizeOfRatio(ratio, MODEL, limits);
      expect(width % 8).toBe(0);
      expect(height % 8).toBe(0);
      expect(Math.max(width, height)).toBeLessThanOrEqual(384);
      expect(Math.min(width, height)).toBeGreaterThanOrEqual(64);
    }
    const { width, height } = usualSizeOfRatio(1.5, MODEL, limits);
    expect(width / height).toBeCloseTo(1.5, 1);
  });

  test('4:3 and 3:2 are offered beside the square also where the grid is coarse', () => {
    const coarse = { ...MODEL, sizeMultiple: 64, defaultWidth: 256, defaultHeight: 256 };
    expect(commonSizes(coarse, limitsWithin({ steps: 150, side: 2048 }))).toEqual([
      '256x256',
      '256x192',
      '192x256',
      '384x256',
      '256x384',
      '320x192',
      '192x320',
    ]);
  });

  test('a size from elsewhere becomes the nearest', () => {
    expect(nearestSize({ width: 301, height: 63 }, MODEL, limits)).toBe('304x64');
    expect(nearestSize({ width: 9000, height: 1 }, MODEL, limits)).toBe('384x64');
  });
});

test('what nobody gave comes from the model, within the limits, and from the settings', () => {
  const parameters = parametersFor({ prompt: 'x' }, MODEL, {
    limits: limitsWithin({ steps: 12, side: 384 }),
    noise: 'nv',
    weighting: true,
  });
  expect(parameters).toMatchObject({
    steps: 12,
    width: 384,
    height: 256,
    guidanceScale: 7.5,
    noise: 'nv',
    weighting: true,
  });
  expect(parameters).not.toHaveProperty('strength');
  const plain = parametersFor({ prompt: 'x' }, MODEL, rules());
  expect(plain).not.toHaveProperty('noise');
  expect(plain).not.toHaveProperty('weighting');
  expect(
    parametersFor({ prompt: 'x', noise: 'cpu' }, MODEL, { ...rules(), noise: 'nv' }),
  ).not.toHaveProperty('noise');
});

test.each(SCHEDULER_NAMES)('%s is known in any spelling', (name) => {
  const info = name.startsWith('Flow') ? FLOW_MODEL : MODEL;
  for (const typed of [name, name.toUpperCase(), ` ${name.toLowerCase()} `]) {
    expect(parametersFor({ prompt: '', scheduler: typed }, info, rules()).scheduler).toBe(name);
  }
});

test.each([
  [{ strength: 0 }, 'bad-strength'],
  [{ strength: 1.1 }, 'bad-strength'],
  [{ steps: 0 }, 'bad-steps'],
  [{ steps: 151 }, 'bad-steps'],
  [{ size: '2056x64' }, 'bad-size'],
  [{ size: 'large' }, 'size-format'],
  [{ scheduler: 'Fast' }, 'scheduler-unknown'],
])('%j is refused', (given, identifier) => {
  expect(() => parametersFor({ prompt: '', ...given }, MODEL, rules())).toThrow(
    expect.objectContaining({ identifier }),
  );
});

const sentenceOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

test('of an unknown scheduler those that fit the model are named, and no others', () => {
  const named = (info: ModelFacts) =>
    sentenceOf(() => parametersFor({ prompt: '', scheduler: 'Fast' }, info, rules()));
  expect(named(MODEL)).toContain('there are Euler a, Euler (+ Karras, Exponential, Beta), ');
  expect(named(MODEL)).not.toContain('Flow');
  expect(named(FLOW_MODEL)).toMatch(/there are Flow match Euler, Flow match Heun\.$/);
});

test('what is no number is told with the name of its field, as a sentence begins', () => {
  for (const field of ['strength', 'guidance', 'Steps']) {
    expect(sentenceOf(() => parseNumber('much', field))).toMatch(
      /^(Strength|Guidance|Steps) must be a number\.$/,
    );
  }
});
