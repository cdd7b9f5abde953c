// Whether numbers are numbers: half precision overflows to infinity, and that becomes NaN.

/** One pass without a branch: infinity times 0 is NaN, and NaN stays in a sum. */
export function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}
