// Noise against fixtures that torch made (test/fixtures/noise/make.py).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TorchGenerator } from '../../src/pipeline/noise/torch.js';

interface Draw {
  readonly shape: readonly number[];
  readonly sha256: string;
  readonly bits: readonly number[];
}
interface Case {
  readonly seed: number;
  readonly draws: readonly Draw[];
}

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/noise/torch.json', import.meta.url), 'utf8'),
) as Case[];

const bytes = (values: Float32Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength);

describe('noise of a seed', () => {
  it.each(cases.map((c) => [c.seed, c.draws.map((d) => d.shape.join('x')).join(', '), c] as const))(
    'is torch.randn to the bit: seed %d, shapes %s',
    (seed, _shapes, { draws }) => {
      const generator = new TorchGenerator(seed);
      for (const draw of draws) {
        const values = generator.randn(draw.shape);
        const head = new Uint32Array(values.buffer, 0, Math.min(4, values.length));
        expect([...head]).toEqual(draw.bits);
        expect(createHash('sha256').update(bytes(values)).digest('hex')).toBe(draw.sha256);
      }
    },
  );

  it('goes on from a saved state with the same bits, the waiting half of a pair included', () => {
    const generator = new TorchGenerator(7);
    generator.randn([1, 4, 9, 9]);
    generator.randn([3]);
    const copy = TorchGenerator.from(generator.state());
    for (const shape of [[2], [640], [1]]) {
      expect(bytes(copy.randn(shape)).equals(bytes(generator.randn(shape)))).toBe(true);
    }
  });

  it('refuses a seed or a state that is none', () => {
    for (const seed of [-1, 0.5, 2 ** 32, Number.NaN]) {
      expect(() => new TorchGenerator(seed)).toThrow(RangeError);
    }
    expect(() => TorchGenerator.from(new Uint8Array(10))).toThrow(RangeError);
  });
});
