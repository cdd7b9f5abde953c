// Half precision: every value there and back, and the rounding of IEEE 754.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromHalf, halfBits, halfValue, toHalf } from '../../src/pipeline/fp16.js';

it('every half survives the way through float32', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = halfValue(bits);
    if (Number.isNaN(value)) expect(halfBits(value) & 0x7fff).toBe(0x7e00);
    else expect(halfBits(value)).toBe(bits);
  }
});

it('takes the nearest half, the even one of two that are equally near', () => {
  const cases: [number, number][] = [
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [2 ** -25 * 1.0001, 1],
    [2 ** -24 * 1.5, 2],
    [2 ** -14 - 2 ** -25, 0x400],
    [-0, 0x8000],
  ];
  for (const [value, bits] of cases) expect([value, halfBits(value)]).toEqual([value, bits]);
});

it('no other half is nearer', () => {
  fc.assert(
    fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
      const bits = halfBits(value);
      const error = Math.abs(halfValue(bits) - value);
      for (const other of [bits - 1, bits + 1]) {
        if ((other & 0x7fff) > 0x7bff || other < 0 || other > 0xffff) continue;
        expect(Math.abs(halfValue(other) - value)).toBeGreaterThanOrEqual(error);
      }
    }),
  );
});

it('arrays go there and back', () => {
  const values = Float32Array.from([0, -1.5, 0.333251953125, Number.POSITIVE_INFINITY]);
  expect(fromHalf(toHalf(values))).toEqual(values);
});
