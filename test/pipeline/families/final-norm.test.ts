// A layer norm learnt from what goes in and what comes out.

import { describe, expect, it } from 'vitest';
import { applyLayerNorm, fitLayerNorm } from '../../../src/pipeline/families/final-norm.js';
import { TorchGenerator } from '../../../src/pipeline/noise/torch.js';

const DIMS = [1, 77, 24];
const draw = (seed: number, dims: readonly number[]) => new TorchGenerator(seed).randn(dims);
const norm = { scale: draw(1, [24]), shift: draw(2, [24]) };
const states = { data: draw(3, DIMS).map((value) => 5 * value + 1), dims: DIMS };

describe('a final norm', () => {
  it('is found from one run, and holds for other states', () => {
    const found = fitLayerNorm(states, applyLayerNorm(norm, states))!;
    for (let d = 0; d < 24; d++) {
      expect(found.scale[d]).toBeCloseTo(norm.scale[d]!, 5);
      expect(found.shift[d]).toBeCloseTo(norm.shift[d]!, 5);
    }
    const others = { data: draw(4, DIMS), dims: DIMS };
    const [a, b] = [applyLayerNorm(found, others), applyLayerNorm(norm, others)];
    for (const [i, value] of a.data.entries()) expect(value).toBeCloseTo(b.data[i]!, 4);
  });

  it('is not made up where there is none', () => {
    expect(fitLayerNorm(states, { data: draw(5, DIMS), dims: DIMS })).toBeUndefined();
    expect(fitLayerNorm(states, { data: draw(5, [1, 7, 24]), dims: [1, 7, 24] })).toBeUndefined();
  });
});
