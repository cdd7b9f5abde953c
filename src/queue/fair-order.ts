// The order in which p-queue starts jobs: its queue class, with turns instead of priorities.

import type { Queue as PQueueOrder, QueueAddOptions } from 'p-queue';
import { Turns } from './turns.js';
import type { QueueEntry } from './types.js';

type Run = () => Promise<unknown>;

/** What `PQueue.add` is given with each job. `id` is the entry's. */
export interface FairOptions extends QueueAddOptions {
  readonly entry?: QueueEntry;
}

export class FairOrder implements PQueueOrder<Run, FairOptions> {
  readonly turns = new Turns<QueueEntry>();
  /** by id: what waits */
  readonly #runs = new Map<string, Run>();

  get size(): number {
    return this.#runs.size;
  }

  enqueue(run: Run, options?: Partial<FairOptions>): void {
    const entry = options?.entry;
    if (entry === undefined) throw new TypeError('Expected `entry` to be the job, got nothing');
    this.#runs.set(entry.id, run);
    this.turns.add(entry);
  }

  dequeue(): Run | undefined {
    const entry = this.turns.take();
    if (entry === undefined) return undefined;
    const run = this.#runs.get(entry.id);
    this.#runs.delete(entry.id);
    return run;
  }

  remove(id: string): void {
    if (this.turns.remove(id)) this.#runs.delete(id);
  }

  filter(): Run[] {
    return [...this.#runs.values()];
  }

  /** There are no priorities: turns decide. */
  setPriority(): never {
    throw new TypeError('jobs have no priority here: users take turns');
  }
}
