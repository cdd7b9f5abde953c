// Figures of several runs, and the lines that the benchmark prints.

export const median = (values: readonly number[]): number => percentile(values, 50);

/** nearest-rank percentile of at least one value */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length));
  return sorted[rank - 1]!;
}

/** From each mark to the next. */
export const gaps = (marks: readonly number[]): number[] =>
  marks.slice(1).map((mark, i) => mark - marks[i]!);

/** One line of the report: what was measured, against what is to be reached (at most). */
export function report(
  what: string,
  value: number,
  unit: string,
  atMost?: number,
  more = '',
): void {
  const goal =
    atMost === undefined
      ? ''
      : `  (to reach: ${atMost}${unit}) ${value <= atMost ? 'ok' : 'MISSED'}`;
  const text = value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
  process.stdout.write(
    `${what.padEnd(58)} ${`${text}${unit}`.padStart(10)}${goal}${more && `  ${more}`}\n`,
  );
}
