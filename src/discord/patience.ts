// How long something is waited for before whoever waits goes on without it.

import { setTimeout as delay } from 'node:timers/promises';

/** ms that an answer, or a finished picture, waits for the disk at most */
export const SLOW_DISK = 1000;

/**
 * @param ms that it may take
 * @returns what it resolves with; undefined when it takes longer, and then nothing of it is lost: it
 *   can be awaited again
 * @throws what it rejects with in that time
 */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const waited = new AbortController();
  const late = delay(ms, undefined, { signal: waited.signal }).catch(() => undefined);
  return Promise.race([promise, late]).finally(() => waited.abort());
}
