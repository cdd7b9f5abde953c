// The order and the times in which waiting jobs will start, by playing the queue through.

import type { Turns } from './turns.js';
import type { QueueEntry } from './types.js';

/** A job that runs. */
export interface RunningJob {
  readonly userId: string;
  /** ms it is expected to take from now on, 0 and up */
  readonly remaining: number;
}

export interface Forecast {
  readonly entry: QueueEntry;
  /** ms from now until it starts */
  readonly startsIn: number;
}

/**
 * @param turns as they stand; not changed
 * @param slots jobs that may run at the same time
 * @param duration ms that a job takes
 * @returns the waiting jobs in the order in which they will start, if none is added
 */
export function forecast(
  turns: Turns<QueueEntry>,
  running: readonly RunningJob[],
  slots: number,
  duration: (entry: QueueEntry) => number,
): Forecast[] {
  const future = turns.clone();
  const order: Forecast[] = [];
  /** what runs at the moment played, with the ms from now at which it ends */
  const busy = running.map(({ userId, remaining }) => ({ userId, end: remaining }));
  let now = 0;
  while (future.size > 0) {
    while (busy.length >= slots) {
      const first = busy.reduce((a, b) => (b.end < a.end ? b : a));
      busy.splice(busy.indexOf(first), 1);
      future.settled(first.userId);
      now = Math.max(now, first.end);
    }
    const entry = future.take();
    if (entry === undefined) break;
    order.push({ entry, startsIn: now });
    busy.push({ userId: entry.userId, end: now + duration(entry) });
  }
  return order;
}
