// Which of the training timesteps a run visits (Lin et al. 2023, table 2), from the noisiest down.

/** numpy's rounding: half to even. */
export function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

export function leading(count: number, steps: number, divisor: number, offset: number): number[] {
  const ratio = Math.floor(count / divisor);
  return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * ratio + offset);
}

export function trailing(count: number, steps: number): number[] {
  const ratio = count / steps;
  return Array.from({ length: steps }, (_, i) => roundEven(count - i * ratio) - 1);
}

export function linspaced(count: number, steps: number): number[] {
  const step = (count - 1) / (steps - 1);
  return Array.from({ length: steps }, (_, i) =>
    steps === 1 ? 0 : roundEven((steps - 1 - i) * step),
  );
}
