// torch.randn on CUDA, computed here: what AUTOMATIC1111 names NV.
//
// Sources: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3" (Philox4x32-10);
// AUTOMATIC1111 modules/rng_philox.py, whose roundings these are: uniforms, logarithm and sine in
// float64, one rounding to float32 at the end.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
/** added to the key after each round: the golden ratio and sqrt(3) - 1 in units of 2^-32 */
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const ROUNDS = 10;

const UNIT = Math.fround(2.3283064e-10);
const TURN = Math.fround(2.3283064e-10 * 6.2831855);
const HALF_UNIT = Math.fround(UNIT / 2);
const HALF_TURN = Math.fround(TURN / 2);

/** The upper 32 bits of the product of two words. */
function mulHigh(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) >>> 0;
}

/**
 * Each `randn` gives the values that `torch.randn(shape, device='cuda')` gives in the same place of
 * the calls after `manual_seed(seed)`, as far as A1111 reproduces them: each element has a counter
 * of its own, so that the first n values of a call do not depend on the size.
 */
export class PhiloxGenerator {
  static readonly STATE_BYTES = 8;
  readonly #seed: number;
  /** calls of `randn` so far */
  #call = 0;

  /**
   * @param seed 0 to 2^32 - 1
   * @throws RangeError when the seed is not such an integer
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`Expected \`seed\` to be an integer from 0 to 4294967295, got ${seed}`);
    }
    this.#seed = seed;
  }

  /** Standard normal values, row-major; only the number of elements decides the values. */
  randn(shape: readonly number[]): Float32Array {
    const n = shape.reduce((product, size) => product * size, 1);
    const out = new Float32Array(n);
    for (let i = 0; i < n; i++) out[i] = this.#normal(i);
    this.#call = (this.#call + 1) >>> 0;
    return out;
  }

  /** Seed and number of calls, little endian. */
  state(): Uint8Array {
    const bytes = new Uint8Array(PhiloxGenerator.STATE_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#seed, true);
    view.setUint32(4, this.#call, true);
    return bytes;
  }

  /**
   * A generator that goes on where `state()` was taken.
   * @throws RangeError when the bytes are no such state
   */
  static from(state: Uint8Array): PhiloxGenerator {
    if (state.byteLength !== PhiloxGenerator.STATE_BYTES) {
      throw new RangeError(`Expected ${PhiloxGenerator.STATE_BYTES} bytes of generator state`);
    }
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const generator = new PhiloxGenerator(view.getUint32(0, true));
    generator.#call = view.getUint32(4, true);
    return generator;
  }

  /** Element i of this call: the counter is [call, 0, i, 0], the key the seed with a high word of 0. */
  #normal(i: number): number {
    let [c0, c1, c2, c3] = [this.#call, 0, i, 0];
    let [k0, k1] = [this.#seed, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const [high0, low0] = [mulHigh(c0, M0), Math.imul(c0, M0)];
      const [high1, low1] = [mulHigh(c2, M1), Math.imul(c2, M1)];
      c0 = (high1 ^ c1 ^ k0) >>> 0;
      c1 = low1 >>> 0;
      c2 = (high0 ^ c3 ^ k1) >>> 0;
      c3 = low0 >>> 0;
      k0 = (k0 + W0) >>> 0;
      k1 = (k1 + W1) >>> 0;
    }
    // Box-Muller; the cosine of the pair and the other two words are left unused, as in CUDA's randn.
    const u = c0 * UNIT + HALF_UNIT;
    const v = c1 * TURN + HALF_TURN;
    return Math.sqrt(-2 * Math.log(u)) * Math.sin(v);
  }
}
