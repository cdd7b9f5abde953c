// Views of steps wait for their turn: drawing them takes the engine from painting, and the steps of
// one may be a hundred megabytes in this process.

import { UserError } from '../errors.js';
import { createLocalQueue } from '../queue/local.js';
import type { Queue } from '../queue/types.js';

/** views that wait or are drawn, of one person and in all */
const LIMITS = { perUser: 3, total: 24 };

/** Thrown through `draw` where a newer view of the same message made this one needless. */
export class Superseded extends Error {}

export class Views {
  readonly #queue: Queue;
  /** by message: the id of its newest view */
  readonly #newest = new Map<string, string>();
  #ids = 0;

  /** @param concurrency engines there are */
  constructor(concurrency: number) {
    this.#queue = createLocalQueue(LIMITS, concurrency);
  }

  /**
   * To be asked before anything is acknowledged.
   * @param message whose waiting view, if it has one, the new one makes needless
   * @throws UserError 'views-busy'
   */
  check(userId: string, message?: string): void {
    const older = message === undefined ? undefined : this.#newest.get(message);
    if (older !== undefined && this.#queue.place(older)?.state === 'waiting') {
      this.#queue.cancel(older, new Superseded());
    }
    try {
      this.#queue.check(userId, 1);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError('views-busy', 'Steps are still being drawn; wait for them first.');
    }
  }

  /** The same as `draw`; a view that was made needless simply ends. */
  async show(userId: string, work: () => Promise<void>, message?: string): Promise<void> {
    await this.draw(userId, work, message).catch((error: unknown) => {
      if (!(error instanceof Superseded)) throw error;
    });
  }

  /**
   * Does the work in its turn.
   * @param message that the view replaces, where its interaction needs no other answer
   * @throws Superseded
   */
  async draw(userId: string, work: () => Promise<void>, message?: string): Promise<void> {
    const id = `view-${++this.#ids}`;
    if (message !== undefined) this.#newest.set(message, id);
    try {
      // Whoever was acknowledged is drawn for: the limits were asked before.
      await this.#queue.add({ id, userId, work: 1 }, work, true);
    } finally {
      if (message !== undefined && this.#newest.get(message) === id) this.#newest.delete(message);
    }
  }
}
