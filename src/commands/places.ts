// Places in the queue, shown in the replies that wait: soon after the queue has changed, and now and
// then while only time has passed.

import type { Queue } from '../queue/types.js';
import type { Job } from './job.js';

/** ms between looks at the waiting replies while only time has passed */
const REFRESH = 5000;
/** ms within which changes of the queue are shown together */
const GATHER = 100;

export class Places {
  readonly #queue: Queue;
  readonly #jobs: ReadonlyMap<string, Job>;
  readonly #stopListening: () => void;
  readonly #refreshTimer: NodeJS.Timeout;
  /** set from a change of the queue until it is shown */
  #gatherTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param jobs by id, as they are at any time; those that the queue does not know are passed over */
  constructor(queue: Queue, jobs: ReadonlyMap<string, Job>) {
    this.#queue = queue;
    this.#jobs = jobs;
    this.#stopListening = queue.onChange(() => this.#gather());
    this.#refreshTimer = setInterval(() => this.show(), REFRESH).unref();
  }

  /** Shows every place that says something new. */
  show(): void {
    if (this.#closed) return;
    for (const job of this.#jobs.values()) {
      const place = this.#queue.place(job.id);
      if (place !== undefined) job.showPlace(place);
    }
  }

  /** Nothing is shown from now on. */
  close(): void {
    this.#closed = true;
    this.#stopListening();
    clearInterval(this.#refreshTimer);
    clearTimeout(this.#gatherTimer);
  }

  #gather(): void {
    this.#gatherTimer ??= setTimeout(() => {
      this.#gatherTimer = undefined;
      this.show();
    }, GATHER).unref();
  }
}
