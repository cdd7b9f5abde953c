// Where random numbers come from: one interface over torch's CPU generator and CUDA's Philox.

import type { NoiseSource } from '../types.js';
import { PhiloxGenerator } from './philox.js';
import { TorchGenerator } from './torch.js';

/** A stream of standard normal values that can be written down and taken up again. */
export interface NoiseGenerator {
  /** Standard normal float32 values, row-major; only the number of elements decides the values. */
  randn(shape: readonly number[]): Float32Array;
  /** everything that decides the values to come, for `restoreGenerator` */
  state(): Uint8Array;
}

/**
 * @param source absent: torch on the CPU
 * @param seed 0 to 2^32 - 1
 * @throws RangeError when the seed is not such an integer
 */
export function createGenerator(source: NoiseSource | undefined, seed: number): NoiseGenerator {
  return source === 'nv' ? new PhiloxGenerator(seed) : new TorchGenerator(seed);
}

/**
 * A generator that goes on where `state()` was taken; the two kinds differ in their length.
 * @throws RangeError when the bytes are no such state
 */
export function restoreGenerator(state: Uint8Array): NoiseGenerator {
  return state.byteLength === PhiloxGenerator.STATE_BYTES
    ? PhiloxGenerator.from(state)
    : TorchGenerator.from(state);
}
