// Private pictures that were done when nothing reached their owner privately any more. They wait for
// the owner's next command, whose token does; also over a restart.

import type { Store } from '../store/types.js';

/** Pictures that wait for one person; older ones are found with /steps alone. */
const MOST = 10;
/** ms for which they wait */
const PATIENCE = 365 * 24 * 3600 * 1000;

export class Claims {
  readonly #store: Store;
  /** by person, as the store has them; only of those for whom something waits or is being looked up */
  readonly #known = new Map<string, Promise<readonly string[]>>();
  /** ids that are being sent: nobody else takes them meanwhile */
  readonly #taken = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** @param id of the generation */
  async add(userId: string, id: string): Promise<void> {
    await this.#change(userId, (ids) => [...ids.filter((one) => one !== id), id].slice(-MOST));
  }

  /**
   * All that wait for a person and that nobody is sending. Whoever takes one sends it, and says
   * `done` or `putBack`; a process that ends before leaves it to the next.
   */
  async take(userId: string): Promise<readonly string[]> {
    const known = this.#of(userId);
    const waiting = await known;
    if (waiting.length === 0) {
      // Most people have nothing waiting: they are not remembered.
      if (this.#known.get(userId) === known) this.#known.delete(userId);
      return [];
    }
    const free = waiting.filter((id) => !this.#taken.has(id));
    for (const id of free) this.#taken.add(id);
    return free;
  }

  /** It has reached its owner, or never will. */
  async done(userId: string, id: string): Promise<void> {
    await this.#change(userId, (ids) => ids.filter((one) => one !== id));
    this.#taken.delete(id);
  }

  /** It waits on. */
  putBack(id: string): void {
    this.#taken.delete(id);
  }

  #of(userId: string): Promise<readonly string[]> {
    let known = this.#known.get(userId);
    if (known === undefined) {
      known = this.#store.setting(key(userId)).then(read);
      this.#known.set(userId, known);
      known.catch(() => this.#known.delete(userId)); // a disk that fails once is asked again
    }
    return known;
  }

  /** One change after the other: each begins with what the last one left. */
  async #change(
    userId: string,
    change: (ids: readonly string[]) => readonly string[],
  ): Promise<void> {
    const next = this.#of(userId).then(change);
    this.#known.set(userId, next);
    next.catch(() => this.#known.delete(userId));
    const ids = await next;
    // What waits for nobody need not be kept.
    const expiresAt = Date.now() + (ids.length === 0 ? 0 : PATIENCE);
    await this.#store.setSetting(key(userId), JSON.stringify(ids), expiresAt);
    if (ids.length === 0 && this.#known.get(userId) === next) this.#known.delete(userId);
  }
}

const key = (userId: string) => `private-pictures-for:${userId}`;

function read(text: string | undefined): readonly string[] {
  const value: unknown = text === undefined ? [] : JSON.parse(text);
  return Array.isArray(value) ? value.filter((id): id is string => typeof id === 'string') : [];
}
