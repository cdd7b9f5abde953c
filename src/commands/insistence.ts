// Writes that a later start would miss, made until the disk takes them.

/** ms between tries of a write that the disk did not take */
const DISK_AGAIN = 5000;

export class Insistence {
  readonly #bug: (error: unknown, id: string) => void;
  #closed = false;

  /** @param bug told of the first failure of a write; those of its later tries are no news */
  constructor(bug: (error: unknown, id: string) => void) {
    this.#bug = bug;
  }

  /**
   * Where the disk does not take it now, its news goes on all the same, and it is tried again until
   * the disk does, or this process ends.
   * @param id of the generation that is written about
   * @returns resolves after the first try; never rejects
   */
  async write(id: string, write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      this.#bug(error, id);
      this.#later(write);
    });
  }

  /** Nothing is tried again from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Each try begins when the last has failed: on a disk that hangs they must not pile up. */
  #later(write: () => Promise<void>): void {
    setTimeout(() => {
      if (!this.#closed) write().catch(() => this.#later(write));
    }, DISK_AGAIN).unref();
  }
}
