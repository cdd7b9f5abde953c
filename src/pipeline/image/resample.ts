// Resizing with the Lanczos filter as Pillow does it, to the bit: diffusers sizes init images and
// masks with it, and what the VAE encodes shall be the same.
//
// Source of the rounding: Pillow src/libImaging/Resample.c (8 bits per channel, 22-bit fixed point,
// first along rows, then along columns; version 13 takes some sizes in the other order, which a
// rounding in between can tell).

export interface Size {
  /** px */
  readonly width: number;
  readonly height: number;
}

/** A part of a picture, px; fractions count. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const CHANNELS = 3;
const PRECISION = 22;
const SUPPORT = 3;

/**
 * The box of 8-bit RGB at another size.
 * @param rgb row-major, `from.width * from.height * 3` values
 */
export function resample(rgb: Uint8Array, from: Size, box: Box, to: Size): Uint8Array {
  const across = kernels(from.width, box.left, box.right, to.width);
  const down = kernels(from.height, box.top, box.bottom, to.height);
  const sameWidth = to.width === from.width && box.left === 0 && box.right === from.width;
  const sameHeight = to.height === from.height && box.top === 0 && box.bottom === from.height;
  // Only the rows that the second pass reads are made.
  const first = down.starts[0]!;
  const last = down.starts.at(-1)! + down.counts.at(-1)!;
  const [begin, end] = sameHeight ? [0, from.height] : [first, last];
  const rows = sameWidth ? rgb : alongRows(rgb, from.width, begin, end, across);
  if (sameHeight) return rows;
  return alongColumns(rows, to.width, sameWidth ? 0 : first, down);
}

interface Kernels {
  /** first source pixel of each target pixel */
  readonly starts: readonly number[];
  readonly counts: readonly number[];
  /** in units of 2^-22 */
  readonly weights: readonly Int32Array[];
}

function kernels(size: number, from: number, to: number, count: number): Kernels {
  // Pillow's boxes are float32.
  const [begin, end] = [Math.fround(from), Math.fround(to)];
  const scale = Math.fround(end - begin) / count;
  const stretch = Math.max(1, scale);
  const support = SUPPORT * stretch;
  const starts: number[] = [];
  const counts: number[] = [];
  const weights: Int32Array[] = [];
  for (let i = 0; i < count; i++) {
    const centre = begin + (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const stop = Math.min(size, Math.trunc(centre + support + 0.5));
    const values: number[] = [];
    let sum = 0;
    for (let x = start; x < stop; x++) {
      const value = lanczos((x - centre + 0.5) * (1 / stretch));
      values.push(value);
      sum += value;
    }
    starts.push(start);
    counts.push(stop - start);
    weights.push(
      Int32Array.from(values, (value) => {
        const scaled = (sum === 0 ? value : value / sum) * 2 ** PRECISION;
        return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      }),
    );
  }
  return { starts, counts, weights };
}

function lanczos(x: number): number {
  return x >= -SUPPORT && x < SUPPORT ? sinc(x) * sinc(x / SUPPORT) : 0;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const turned = x * Math.PI;
  return Math.sin(turned) / turned;
}

const HALF = 1 << (PRECISION - 1);

/** Every row from `first` to before `last`, at the width of the kernels. */
function alongRows(
  rgb: Uint8Array,
  width: number,
  first: number,
  last: number,
  { starts, weights }: Kernels,
): Uint8Array {
  const out = new Uint8ClampedArray((last - first) * starts.length * CHANNELS);
  let at = 0;
  for (let y = first; y < last; y++) {
    for (let i = 0; i < starts.length; i++) {
      const kernel = weights[i]!;
      let source = (y * width + starts[i]!) * CHANNELS;
      let [r, g, b] = [HALF, HALF, HALF];
      for (let k = 0; k < kernel.length; k++) {
        const weight = kernel[k]!;
        r += rgb[source]! * weight;
        g += rgb[source + 1]! * weight;
        b += rgb[source + 2]! * weight;
        source += CHANNELS;
      }
      out[at++] = r >> PRECISION;
      out[at++] = g >> PRECISION;
      out[at++] = b >> PRECISION;
    }
  }
  return new Uint8Array(out.buffer);
}

/** @param offset the row of the picture that `rgb` begins with */
function alongColumns(
  rgb: Uint8Array,
  width: number,
  offset: number,
  { starts, weights }: Kernels,
): Uint8Array {
  const row = width * CHANNELS;
  const out = new Uint8ClampedArray(starts.length * row);
  const sums = new Int32Array(row);
  for (let y = 0; y < starts.length; y++) {
    const kernel = weights[y]!;
    sums.fill(HALF);
    for (let k = 0; k < kernel.length; k++) {
      const weight = kernel[k]!;
      const source = (starts[y]! - offset + k) * row;
      for (let x = 0; x < row; x++) sums[x] = sums[x]! + rgb[source + x]! * weight;
    }
    for (let x = 0; x < row; x++) out[y * row + x] = sums[x]! >> PRECISION;
  }
  return new Uint8Array(out.buffer);
}

/** The middle part of a picture that has the proportions of another size. */
export function middle(from: Size, to: Size): Box {
  if (from.width * to.height === from.height * to.width) {
    return { left: 0, top: 0, right: from.width, bottom: from.height };
  }
  const wanted = to.width / to.height;
  const wide = from.width / from.height >= wanted;
  const width = wide ? wanted * from.height : from.width;
  const height = wide ? from.height : from.width / wanted;
  const left = (from.width - width) / 2;
  const top = (from.height - height) / 2;
  return { left, top, right: left + width, bottom: top + height };
}
