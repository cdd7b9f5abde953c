// Discord's ids: ms since 2015 in the upper 42 bits, a counter in the lower 12.

const EPOCH = 1_420_070_400_000n;

let lastMs = 0n;
let counter = 0n;

/** An id that is larger than every one made before in this process. */
export function snowflake(now: number = Date.now()): string {
  const ms = BigInt(now);
  if (ms > lastMs) {
    lastMs = ms;
    counter = 0n;
  } else {
    counter += 1n;
    if (counter > 0xfffn) {
      lastMs += 1n;
      counter = 0n;
    }
  }
  // Bit 17: a worker id, so that ids do not look like bare times.
  return (((lastMs - EPOCH) << 22n) | (1n << 17n) | counter).toString();
}

/** Ids made from now on are larger than this one, which comes from an earlier run. */
export function startAfter(id: string): void {
  const ms = (BigInt(id) >> 22n) + EPOCH;
  if (ms >= lastMs) {
    lastMs = ms + 1n;
    counter = 0n;
  }
}

/** Order of two ids: that of their making. */
export function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export function isSnowflake(value: unknown): value is string {
  return typeof value === 'string' && /^\d{15,20}$/.test(value);
}
