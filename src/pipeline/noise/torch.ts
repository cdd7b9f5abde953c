// torch.randn on the CPU, bit for bit: Mersenne Twister, then Box-Muller as PyTorch vectorises it.
//
// Sources: Matsumoto and Nishimura 1998 (MT19937); PyTorch aten/src/ATen/core/MT19937RNGEngine.h,
// TransformationHelper.h, native/cpu/DistributionTemplates.h, native/cpu/avx_mathfun.h (the Cephes
// polynomials for log, sin and cos, compiled with fused multiply-add).

const f = Math.fround;

const N = 624;
const M = 397;
const STATE_BYTES = 4 * N + 4 + 8 + 1;

const TWO_PI = f(2 * Math.PI);
const SQRT_HALF = f(Math.SQRT1_2);

const LOG_P = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f);
const LOG_Q1 = f(-2.1219444e-4);
const LOG_Q2 = f(0.693359375);

const FOUR_OVER_PI = f(4 / Math.PI);
/** -pi/4 in three parts, so that the reduction keeps its bits (Cody and Waite) */
const DP1 = f(-0.78515625);
const DP2 = f(-2.4187564849853516e-4);
const DP3 = f(-3.774894977445941e-8);
const COS_P = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f);
const SIN_P = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f);

// Local copies keep the polynomials below free of array look-ups.
const [l0, l1, l2, l3, l4, l5, l6, l7, l8] = LOG_P as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const [c0, c1, c2] = COS_P as [number, number, number];
const [s0, s1, s2] = SIN_P as [number, number, number];

const bits = new Float32Array(1);
const word = new Uint32Array(bits.buffer);

// A fused multiply-add of float32 is written fround(a * b + c): the product is exact in float64.

/** Natural logarithm of a positive normal float32. */
function log32(value: number): number {
  bits[0] = value;
  const raw = word[0]!;
  let e = (raw >>> 23) - 126;
  word[0] = (raw & 0x007fffff) | 0x3f000000;
  const m = bits[0]!; // [0.5, 1)
  let x: number;
  if (m < SQRT_HALF) {
    e -= 1;
    x = f(f(m - 1) + m);
  } else {
    x = f(m - 1);
  }
  const z = f(x * x);
  let y = l0;
  y = f(y * x + l1);
  y = f(y * x + l2);
  y = f(y * x + l3);
  y = f(y * x + l4);
  y = f(y * x + l5);
  y = f(y * x + l6);
  y = f(y * x + l7);
  y = f(y * x + l8);
  y = f(y * x);
  y = f(y * z + f(e * LOG_Q1));
  y = f(-z * 0.5 + y);
  return f(e * LOG_Q2 + f(x + y));
}

/** Writes radius * cos(theta) to out[a] and radius * sin(theta) to out[b]; theta in [0, 2 pi]. */
function polar(out: Float32Array, a: number, b: number, radius: number, theta: number): void {
  let octant = Math.trunc(f(theta * FOUR_OVER_PI));
  octant = (octant + 1) & ~1;
  let x = f(octant * DP1 + theta);
  x = f(octant * DP2 + x);
  x = f(octant * DP3 + x);
  const z = f(x * x);

  let c = f(c0 * z + c1);
  c = f(c * z + c2);
  c = f(c * z);
  c = f(f(c * z + -f(z * 0.5)) + 1);

  let s = f(s0 * z + s1);
  s = f(s * z + s2);
  s = f(s * z);
  s = f(s * x + x);

  const upright = (octant & 2) === 0;
  const cos = (~(octant - 2) & 4) !== 0 ? -(upright ? c : s) : upright ? c : s;
  const sin = (octant & 4) !== 0 ? -(upright ? s : c) : upright ? s : c;
  out[a] = radius * cos;
  out[b] = radius * sin;
}

/** 16 uniforms from `start` become 16 normals: Box-Muller on the pairs (j, j + 8). */
function boxMuller16(d: Float32Array, start: number): void {
  for (let j = start; j < start + 8; j++) {
    const u1 = f(1 - d[j]!);
    const radius = f(Math.sqrt(f(-2 * log32(u1))));
    polar(d, j, j + 8, radius, f(TWO_PI * d[j + 8]!));
  }
}

/**
 * The stream of `torch.Generator('cpu').manual_seed(seed)`: each `randn` gives the float32 values
 * that `torch.randn(shape, generator=g)` gives at the same place in the stream, bit for bit.
 */
export class TorchGenerator {
  private readonly mt = new Uint32Array(N);
  /** next word of `mt` to hand out; N: a new block is due */
  private index = N;
  /** the sine of the last small Box-Muller pair, waiting for the next small call */
  private cached: number | undefined;

  /**
   * @param seed 0 to 2^32 - 1
   * @throws RangeError when the seed is not such an integer
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`Expected \`seed\` to be an integer from 0 to 4294967295, got ${seed}`);
    }
    const mt = this.mt;
    mt[0] = seed;
    for (let i = 1; i < N; i++) {
      const previous = mt[i - 1]! ^ (mt[i - 1]! >>> 30);
      mt[i] = Math.imul(1812433253, previous) + i;
    }
  }

  /** Standard normal values, row-major; only the number of elements decides the values. */
  randn(shape: readonly number[]): Float32Array {
    const n = shape.reduce((product, size) => product * size, 1);
    const out = new Float32Array(n);
    if (n < 16) {
      for (let i = 0; i < n; i++) out[i] = this.normal64();
      return out;
    }
    for (let i = 0; i < n; i++) out[i] = this.uniform24();
    for (let i = 0; i + 16 <= n; i += 16) boxMuller16(out, i);
    if (n % 16 !== 0) {
      // torch draws the last 16 anew, over values already made
      for (let i = n - 16; i < n; i++) out[i] = this.uniform24();
      boxMuller16(out, n - 16);
    }
    return out;
  }

  /** The whole state as bytes: words, index, cached normal (float64) and whether there is one. */
  state(): Uint8Array {
    const bytes = new Uint8Array(STATE_BYTES);
    const view = new DataView(bytes.buffer);
    // Little-endian, as every platform is that onnxruntime runs on.
    bytes.set(new Uint8Array(this.mt.buffer));
    view.setUint32(4 * N, this.index, true);
    view.setFloat64(4 * N + 4, this.cached ?? 0, true);
    view.setUint8(4 * N + 12, this.cached === undefined ? 0 : 1);
    return bytes;
  }

  /**
   * A generator that goes on where `state()` was taken.
   * @throws RangeError when the bytes are no such state
   */
  static from(state: Uint8Array): TorchGenerator {
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    if (state.byteLength !== STATE_BYTES || view.getUint32(4 * N, true) > N) {
      throw new RangeError(`Expected ${STATE_BYTES} bytes of generator state`);
    }
    const generator = new TorchGenerator(0);
    for (let i = 0; i < N; i++) generator.mt[i] = view.getUint32(4 * i, true);
    generator.index = view.getUint32(4 * N, true);
    generator.cached =
      view.getUint8(4 * N + 12) === 1 ? view.getFloat64(4 * N + 4, true) : undefined;
    return generator;
  }

  /** 32 random bits. */
  private next(): number {
    if (this.index === N) this.twist();
    let y = this.mt[this.index++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  private twist(): void {
    const mt = this.mt;
    for (let i = 0; i < N; i++) {
      const y = (mt[i]! & 0x80000000) | (mt[(i + 1) % N]! & 0x7fffffff);
      mt[i] = mt[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.index = 0;
  }

  /** Uniform on [0, 1) with 24 bits. */
  private uniform24(): number {
    return (this.next() & 0xffffff) * 2 ** -24;
  }

  /** Uniform on [0, 1) with 53 bits of a 64-bit draw. */
  private uniform53(): number {
    const high = this.next() & 0x1fffff;
    return (high * 2 ** 32 + this.next()) * 2 ** -53;
  }

  /** One normal of a call with fewer than 16 elements, in float64. */
  private normal64(): number {
    if (this.cached !== undefined) {
      const value = this.cached;
      this.cached = undefined;
      return value;
    }
    const u1 = this.uniform53();
    const u2 = this.uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-u2));
    const theta = 2 * Math.PI * u1;
    this.cached = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  }
}
