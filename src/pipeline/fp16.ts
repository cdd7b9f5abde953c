// IEEE 754 half precision: what fp16 graphs and kept steps hold.

const view = new DataView(new ArrayBuffer(4));

/** The nearest half (ties to even) as its 16 bits; what is too large becomes infinity. */
export function halfBits(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more round to infinity
  if (magnitude < 0x33000001) return sign; // 2^-25 and less round to zero
  const exponent = magnitude >>> 23;
  if (exponent >= 113) return sign | roundShift(magnitude - (112 << 23), 13);
  // Subnormal: the hidden bit made explicit, shifted to units of 2^-24.
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

function roundShift(value: number, shift: number): number {
  const floor = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (floor & 1) === 1) ? floor + 1 : floor;
}

/** The number that 16 bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

export function toHalf(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const magnitude = words[i]! & 0x7fffffff;
    // The usual case here, since every kept step comes by: neither subnormal nor too large.
    if (magnitude >= 0x38800000 && magnitude < 0x477ff000) {
      const scaled = magnitude - (112 << 23);
      const even = (scaled >>> 13) & 1;
      halves[i] = ((words[i]! >>> 16) & 0x8000) | ((scaled + 0xfff + even) >>> 13);
    } else halves[i] = halfBits(values[i]!);
  }
  return halves;
}

/** the value of every pattern of 16 bits; made when the first halves come */
let table: Float32Array | undefined;

export function fromHalf(bits: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, pattern) => halfValue(pattern));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]!]!;
  return values;
}
