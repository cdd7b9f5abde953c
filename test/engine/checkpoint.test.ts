// What is kept for a run to be taken up again, with and without a branch.

import { serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { packCheckpoint, unpackCheckpoint } from '../../src/engine/checkpoint.js';

const latents = Float32Array.of(1.5, -2, 3e-5);
const state = serialize({ skipped: 0, index: 3, latents, noise: new Uint8Array(7) });

describe.each([
  ['without a branch', undefined],
  ['of a branch', { fromStep: 2, seed: 7 }],
])('a checkpoint %s', (_, branch) => {
  const bytes = packCheckpoint({ branch, state });

  it('gives back what was put in', () => {
    const unpacked = unpackCheckpoint(bytes);
    expect(unpacked.branch).toEqual(branch);
    expect(Buffer.from(unpacked.state).equals(state)).toBe(true);
  });

  it('is read wherever in a message its bytes begin', () => {
    for (const offset of [0, 1, 2, 3]) {
      const message = new Uint8Array(offset + bytes.length);
      message.set(bytes, offset);
      const unpacked = unpackCheckpoint(message.subarray(offset));
      expect(unpacked.branch).toEqual(branch);
      expect(Buffer.from(unpacked.state).equals(state)).toBe(true);
    }
  });
});

it('is read also where an earlier version stored it', () => {
  const { branch, state: inner } = unpackCheckpoint(serialize({ branch: undefined, state }));
  expect(branch).toBeUndefined();
  expect(Buffer.from(inner).equals(state)).toBe(true);
});
