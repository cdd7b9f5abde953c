// Small numerics shared by the schedulers, with the roundings of numpy (float64) and torch (float32).

/** The nearest float32. Every scalar that torch keeps as a float32 tensor goes through this. */
export const f32 = Math.fround;

/** Exponential and natural logarithm in float32. */
export const exp32 = (x: number): number => f32(Math.exp(x));
export const log32 = (x: number): number => f32(Math.log(x));

/** Square root in float32 (torch's `** 0.5`). */
export const sqrt32 = (x: number): number => f32(Math.sqrt(x));

// Cephes' rational approximation of log(1 + x) with the coefficients that numpy uses for float32.
const LOG_NUMERATOR = [
  2.589979117907922e-2, 0.3808837741388408, 1.4800006336325067, 2.1126775430730533, 1, 0,
].map(f32);
const LOG_DENOMINATOR = [
  5.875095403124574e-3, 0.15464763749839067, 0.9864942958519419, 2.4530060717847366,
  2.612677543073109, 1,
].map(f32);
const LN2 = f32(Math.LN2);

/**
 * numpy.log of a positive normal float32 as numpy computes it with AVX (one time in five it is not
 * the nearest float32). Fractional timesteps come from it.
 */
export function numpyLog32(x: number): number {
  let exponent = Math.floor(Math.log2(x));
  let mantissa = x / 2 ** exponent;
  if (mantissa < 1 || mantissa >= 2) {
    // log2 rounded across a power of two
    const shift = mantissa < 1 ? -1 : 1;
    mantissa /= 2 ** shift;
    exponent += shift;
  }
  if (mantissa > f32(Math.SQRT2)) {
    mantissa /= 2;
    exponent++;
  }
  const z = mantissa - 1;
  const horner = (coefficients: number[]) => coefficients.reduce((y, c) => f32(y * z + c));
  return f32(exponent * LN2 + f32(horner(LOG_NUMERATOR) / horner(LOG_DENOMINATOR)));
}

/** Rounds halves to the even neighbour, as numpy does; Math.round does not. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** numpy.linspace(start, stop, n): both ends included, float64. */
export function linspace(start: number, stop: number, n: number): number[] {
  const step = (stop - start) / (n - 1);
  return Array.from({ length: n }, (_, i) =>
    i === 0 ? start : i === n - 1 ? stop : i * step + start,
  );
}

/** torch.linspace(start, stop, n) in float32: from the start below the middle, else from the end. */
export function linspace32(start: number, stop: number, n: number): Float32Array {
  const s = f32(start);
  const e = f32(stop);
  const step = f32(f32(e - s) / (n - 1));
  return Float32Array.from({ length: n }, (_, i) =>
    n === 1 ? s : i < Math.floor(n / 2) ? s + step * i : e - step * (n - 1 - i),
  );
}

/** numpy.arange(start, 0, -step): its length and its values carry numpy's own float64 roundings. */
export function arangeDown(start: number, step: number): number[] {
  const delta = start - step - start;
  return Array.from({ length: Math.ceil(start / step) }, (_, i) => start + i * delta);
}

/** numpy.interp over the grid 0, 1, 2, ...: linear inside, constant outside, float64. */
export function interpolate(x: number, values: ArrayLike<number>): number {
  const last = values.length - 1;
  if (x <= 0) return values[0]!;
  if (x >= last) return values[last]!;
  const j = Math.floor(x);
  const y = values[j]!;
  return (values[j + 1]! - y) * (x - j) + y;
}

/**
 * A weighted sum of tensors, sum of w * x from left to right, each product and each sum rounded to
 * float32 as torch rounds them. All tensors have the length of the first.
 */
export function combine(
  ...terms: readonly (readonly [weight: number, tensor: Float32Array])[]
): Float32Array {
  const [[weight, tensor], ...rest] = terms as readonly [(typeof terms)[number]];
  const first = f32(weight);
  const [second, ...more] = rest as typeof terms;
  if (second === undefined) return scaled(tensor, first);
  const sum = weightedPair(tensor, first, second[1], f32(second[0]));
  for (const [w, x] of more) accumulate(sum, x, f32(w));
  return sum;
}

// Loops over plain arguments, each of one shape: every step of every picture comes by here.

function scaled(x: Float32Array, factor: number): Float32Array {
  const product = new Float32Array(x.length);
  for (let i = 0; i < product.length; i++) product[i] = factor * x[i]!;
  return product;
}

function weightedPair(x: Float32Array, a: number, y: Float32Array, b: number): Float32Array {
  const sum = new Float32Array(x.length);
  for (let i = 0; i < sum.length; i++) sum[i] = f32(a * x[i]!) + f32(b * y[i]!);
  return sum;
}

function accumulate(sum: Float32Array, x: Float32Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + f32(factor * x[i]!);
}

/** A tensor divided by a float32 scalar (not the same bits as multiplying by its inverse). */
export function divide(tensor: Float32Array, by: number): Float32Array {
  const divisor = f32(by);
  const quotient = new Float32Array(tensor.length);
  for (let i = 0; i < quotient.length; i++) quotient[i] = tensor[i]! / divisor;
  return quotient;
}

/** Clamped to [-limit, limit]. */
export function clamp(tensor: Float32Array, limit: number): Float32Array {
  const bound = f32(limit);
  return tensor.map((x) => Math.min(Math.max(x, -bound), bound));
}

/**
 * Dynamic thresholding (Imagen, arXiv 2205.11487, section 2.3): with s the `ratio` quantile of |x0|,
 * brought into [1, max], clamp x0 to [-s, s] and divide by s.
 */
export function dynamicThreshold(x0: Float32Array, ratio: number, max: number): Float32Array {
  const magnitudes = x0.map(Math.abs).sort();
  const rank = f32(f32(ratio) * (magnitudes.length - 1));
  const below = magnitudes[Math.floor(rank)]!;
  const above = magnitudes[Math.ceil(rank)]!;
  const weight = f32(rank - Math.floor(rank));
  const quantile =
    weight < 0.5
      ? f32(below + f32(weight * f32(above - below)))
      : f32(above - f32(f32(above - below) * f32(1 - weight)));
  const s = Math.min(Math.max(quantile, 1), f32(max));
  return divide(clamp(x0, s), s);
}

/**
 * x with I_x(a, a) = p: the quantile of the symmetric beta distribution, by bisection on the
 * regularised incomplete beta function (its continued fraction, Numerical Recipes 6.4).
 * @param p 0 to 1
 */
export function betaQuantile(p: number, a: number): number {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  // symmetric: solve in the lower half, where the fraction converges fast
  if (p > 0.5) return 1 - betaQuantile(1 - p, a);
  // I_(1/2)(a, a) is 1/2, which fixes the normalising constant without a gamma function
  const integral = (x: number) => ((x * (1 - x)) ** a / a) * betaFraction(x, a);
  const total = 2 * integral(0.5);
  let low = 0;
  let high = 0.5;
  for (let i = 0; i < 200 && low < high; i++) {
    const x = (low + high) / 2;
    if (x === low || x === high) break;
    if (integral(x) / total < p) low = x;
    else high = x;
  }
  return (low + high) / 2;
}

/** The continued fraction of I_x(a, a) by Lentz's method. */
function betaFraction(x: number, a: number): number {
  let c = 1;
  let d = 1 / (1 - (2 * a * x) / (a + 1));
  let h = d;
  for (let m = 1; m <= 500; m++) {
    for (const k of [
      (m * (a - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (2 * a + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + k * d);
      c = 1 + k / c;
      h *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return h;
}

/**
 * x of A x = b in float32, by elimination with row exchanges as LAPACK's sgesv does it.
 * @param A square, one array per row
 */
export function solve32(A: readonly (readonly number[])[], b: readonly number[]): number[] {
  const n = b.length;
  const rows = A.map((row, i) => [...row, b[i]!]);
  for (let k = 0; k < n; k++) {
    const size = (i: number) => Math.abs(rows[i]![k]!);
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (size(i) > size(pivot)) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = k + 1; i < n; i++) {
      const factor = f32(rows[i]![k]! / rows[k]![k]!);
      for (let j = k + 1; j <= n; j++) rows[i]![j] = f32(rows[i]![j]! - f32(factor * rows[k]![j]!));
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let rest = rows[i]![n]!;
    for (let j = i + 1; j < n; j++) rest = f32(rest - f32(rows[i]![j]! * x[j]!));
    x[i] = f32(rest / rows[i]![i]!);
  }
  return x;
}
