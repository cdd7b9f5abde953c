// Whose turn it is: users go round in a circle, whatever each of them has waiting.
//
// First comes who has the fewest jobs running; among those, who has waited longest for a turn. A
// user who begins to wait gets a place behind all who wait already, but before the one served last:
// so nobody waits for more than one turn of each other user, however many newcomers there are.

/** What of a job decides its turn. */
export interface Turn {
  readonly id: string;
  readonly userId: string;
}

interface Line<T> {
  /** in order of arrival, never empty */
  readonly jobs: T[];
  /** the number of the turn since which the user waits; the smallest goes first */
  readonly rank: number;
}

export class Turns<T extends Turn> {
  /** by user, only those who wait; in the order in which they began to */
  readonly #lines = new Map<string, Line<T>>();
  /** by user, only those who have some */
  readonly #running = new Map<string, number>();
  /** turns taken so far */
  #turn = 0;
  #lastServed: string | undefined;
  #size = 0;

  /** jobs that wait */
  get size(): number {
    return this.#size;
  }

  add(job: T): void {
    this.#size++;
    const line = this.#lines.get(job.userId);
    if (line !== undefined) {
      line.jobs.push(job);
      return;
    }
    const rank = job.userId === this.#lastServed ? this.#turn : this.#turn - 0.5;
    this.#lines.set(job.userId, { jobs: [job], rank });
  }

  /** The next job, which counts as running from now on. */
  take(): T | undefined {
    let next: { userId: string; line: Line<T>; running: number } | undefined;
    for (const [userId, line] of this.#lines) {
      const running = this.#running.get(userId) ?? 0;
      if (
        next === undefined ||
        running < next.running ||
        (running === next.running && line.rank < next.line.rank)
      ) {
        next = { userId, line, running };
      }
    }
    if (next === undefined) return undefined;
    const { userId, line, running } = next;
    const job = line.jobs.shift();
    this.#size--;
    this.#turn++;
    this.#lastServed = userId;
    this.#running.set(userId, running + 1);
    if (line.jobs.length === 0) this.#lines.delete(userId);
    else this.#lines.set(userId, { jobs: line.jobs, rank: this.#turn });
    return job;
  }

  /** A job of this user no longer runs. */
  settled(userId: string): void {
    const running = this.#running.get(userId) ?? 0;
    if (running > 1) this.#running.set(userId, running - 1);
    else this.#running.delete(userId);
  }

  /** Drops a job that waits. False when there is no such job. */
  remove(id: string): boolean {
    for (const [userId, { jobs }] of this.#lines) {
      const index = jobs.findIndex((job) => job.id === id);
      if (index === -1) continue;
      jobs.splice(index, 1);
      this.#size--;
      if (jobs.length === 0) this.#lines.delete(userId);
      return true;
    }
    return false;
  }

  /** A copy on which the future can be played through. */
  clone(): Turns<T> {
    const copy = new Turns<T>();
    for (const [userId, { jobs, rank }] of this.#lines) {
      copy.#lines.set(userId, { jobs: [...jobs], rank });
    }
    for (const [userId, count] of this.#running) copy.#running.set(userId, count);
    copy.#turn = this.#turn;
    copy.#lastServed = this.#lastServed;
    copy.#size = this.#size;
    return copy;
  }
}
