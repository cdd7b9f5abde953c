// Normal noise with the very bits of torch.randn(float32) on the CPU.
//
// Facts from PyTorch: ATen/core/MT19937RNGEngine.h, TransformationHelper.h,
// native/cpu/DistributionTemplates.h, native/cpu/avx_mathfun.h.

const N = 624;
const M = 397;

/** MT19937 (Matsumoto and Nishimura 1998), seeded with the low 32 bits of the seed. */
class MersenneTwister {
  readonly state: Uint32Array;
  next: number;

  constructor(seed: number) {
    this.state = new Uint32Array(N);
    this.state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const last = this.state[i - 1]!;
      this.state[i] = (Math.imul(1812433253, last ^ (last >>> 30)) + i) >>> 0;
    }
    this.next = N;
  }

  /** 32 random bits */
  draw(): number {
    if (this.next === N) this.#refill();
    let y = this.state[this.next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #refill(): void {
    const { state } = this;
    for (let i = 0; i < N; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}

const f = Math.fround;
/** Fused multiply-add in float32: exact product and sum in float64, one rounding. */
const fma = (a: number, b: number, c: number): number => f(a * b + c);

export class TorchGenerator {
  readonly #bits: MersenneTwister;
  /** the sine that a small call leaves for the next */
  #spare: number | undefined;

  /** @param seed 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#bits = new MersenneTwister(seed);
  }

  /** The same generator as the one that `state()` was taken of. */
  static from(state: Uint8Array): TorchGenerator {
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    const generator = new TorchGenerator(0);
    for (let i = 0; i < N; i++) generator.#bits.state[i] = view.getUint32(4 * i, true);
    generator.#bits.next = view.getUint32(4 * N, true);
    const spare = view.getFloat64(4 * N + 4, true);
    generator.#spare = Number.isNaN(spare) ? undefined : spare;
    return generator;
  }

  state(): Uint8Array {
    const bytes = new Uint8Array(4 * N + 12);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < N; i++) view.setUint32(4 * i, this.#bits.state[i]!, true);
    view.setUint32(4 * N, this.#bits.next, true);
    view.setFloat64(4 * N + 4, this.#spare ?? Number.NaN, true);
    return bytes;
  }

  /** N(0, 1), row-major. */
  randn(shape: readonly number[]): Float32Array {
    const size = shape.reduce((a, b) => a * b, 1);
    return size >= 16
      ? this.#blocks(size)
      : Float32Array.from({ length: size }, () => this.#single());
  }

  /** Large tensors: 24-bit uniforms first, then Box-Muller on blocks of 16. */
  #blocks(size: number): Float32Array {
    const data = new Float32Array(size);
    for (let i = 0; i < size; i++) data[i] = this.#uniform24();
    for (let i = 0; i + 16 <= size; i += 16) boxMuller(data, i);
    if (size % 16 !== 0) {
      const last = size - 16;
      for (let i = last; i < size; i++) data[i] = this.#uniform24();
      boxMuller(data, last);
    }
    return data;
  }

  #uniform24(): number {
    return (this.#bits.draw() & 0xffffff) * 2 ** -24;
  }

  /** 53 bits in [0, 1): the first draw holds the high word */
  #uniform53(): number {
    const high = this.#bits.draw();
    const low = this.#bits.draw();
    return ((high & 0x1fffff) * 2 ** 32 + low) * 2 ** -53;
  }

  /** Small tensors: Box-Muller in float64, cosine now, sine next time. */
  #single(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    const u1 = this.#uniform53();
    const u2 = this.#uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-u2));
    const theta = 2 * Math.PI * u1;
    this.#spare = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  }
}

const TWO_PI = f(2 * Math.PI);

function boxMuller(data: Float32Array, start: number): void {
  for (let j = start; j < start + 8; j++) {
    const u1 = f(1 - data[j]!);
    const radius = f(Math.sqrt(f(-2 * log(u1))));
    const theta = f(TWO_PI * data[j + 8]!);
    const [sine, cosine] = sincos(theta);
    data[j] = f(radius * cosine);
    data[j + 8] = f(radius * sine);
  }
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

const LOG_P = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f);
const LOG_Q1 = f(-2.1219444e-4);
const LOG_Q2 = f(0.693359375);
const SQRT_HALF = f(0.707106781186547524);

/** Cephes logf of x in (0, 1], as AVX2 evaluates it. */
function log(x: number): number {
  scratch[0] = x;
  const bits = scratchBits[0]!;
  let e = (bits >>> 23) - 126;
  scratchBits[0] = (bits & 0x007fffff) | 0x3f000000;
  let m = scratch[0]!;
  if (m < SQRT_HALF) {
    e -= 1;
    m = f(f(m - 1) + m);
  } else {
    m = f(m - 1);
  }
  const z = f(m * m);
  let y = LOG_P[0]!;
  for (let i = 1; i < LOG_P.length; i++) y = fma(y, m, LOG_P[i]!);
  y = f(y * m);
  y = fma(y, z, f(e * LOG_Q1));
  y = fma(z, -0.5, y);
  return fma(e, LOG_Q2, f(m + y));
}

const DP1 = f(-0.78515625);
const DP2 = f(-2.4187564849853515625e-4);
const DP3 = f(-3.77489497744594108e-8);
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f);
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f);
const FOUR_OVER_PI = f(1.27323954473516);

/** Cephes sinf and cosf of x >= 0, as AVX2 evaluates them. */
function sincos(x: number): [number, number] {
  const octant = (Math.trunc(f(x * FOUR_OVER_PI)) + 1) & ~1;
  let r = fma(octant, DP1, x);
  r = fma(octant, DP2, r);
  r = fma(octant, DP3, r);
  const z = f(r * r);
  const c = fma(fma(COS[0]!, z, COS[1]!), z, COS[2]!);
  const cosine = f(fma(f(c * z), z, f(-0.5 * z)) + 1);
  const s = fma(fma(SIN[0]!, z, SIN[1]!), z, SIN[2]!);
  const sine = fma(f(s * z), r, r);
  const swap = (octant & 2) !== 0;
  const sineSign = octant & 4 ? -1 : 1;
  const cosineSign = (octant - 2) & 4 ? 1 : -1;
  return [sineSign * (swap ? cosine : sine), cosineSign * (swap ? sine : cosine)];
}
