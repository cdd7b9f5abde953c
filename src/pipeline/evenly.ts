// Some of many, spread over all of them: frames on a sheet, steps in a list.

/** `count` of the items, evenly spread, the first and the last among them. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items];
  return Array.from(
    { length: count },
    (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]!,
  );
}
