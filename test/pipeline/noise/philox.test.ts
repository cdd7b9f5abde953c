// NV noise against what AUTOMATIC1111 documents and against make_philox.py.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createGenerator, restoreGenerator } from '../../../src/pipeline/noise/generator.js';

interface Case {
  readonly seed: number;
  readonly calls: readonly { readonly n: number; readonly tail: readonly number[] }[];
}
const CASES = JSON.parse(
  readFileSync(new URL('../../fixtures/noise/philox.json', import.meta.url), 'utf8'),
) as readonly Case[];

describe('NV noise', () => {
  it('of seed 0 is what AUTOMATIC1111 documents, to six digits', () => {
    const documented = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122,
      -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497,
    ];
    const values = createGenerator('nv', 0).randn([3, 4]);
    // Its own code rounds 2 pi / 2^32 to float32 first, which these values do not show.
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(documented[i]!, 6);
  });

  it.each(CASES.map((c) => [c.seed, c.calls] as const))(
    'of seed %d is the reference to the bit, call after call',
    (seed, calls) => {
      const generator = createGenerator('nv', seed);
      for (const { n, tail } of calls) {
        const values = generator.randn([n]);
        expect([...new Uint32Array(values.buffer).slice(-5)]).toEqual(tail);
      }
    },
  );

  it.each(['cpu', 'nv'] as const)('%s goes on from a saved state with the same bits', (source) => {
    const generator = createGenerator(source, 4294967295);
    generator.randn([1, 4, 9, 9]);
    generator.randn([3]);
    const copy = restoreGenerator(generator.state());
    for (const shape of [[2], [640], [1]])
      expect(copy.randn(shape)).toEqual(generator.randn(shape));
  });

  it('is another stream than that of the CPU', () => {
    expect(createGenerator('nv', 1).randn([4])).not.toEqual(createGenerator('cpu', 1).randn([4]));
    expect(createGenerator(undefined, 1).randn([4])).toEqual(createGenerator('cpu', 1).randn([4]));
  });

  it('refuses a seed or a state that is none', () => {
    for (const seed of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => createGenerator('nv', seed)).toThrow(RangeError);
    }
    expect(() => restoreGenerator(new Uint8Array(9))).toThrow(RangeError);
  });
});
