// A value that is made when it is first asked for. What fails once, as a full memory or disk does, is
// tried again for whoever asks next.

export class Lazy<T> {
  readonly #make: () => Promise<T>;
  #value: Promise<T> | undefined;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  /** Rejects as the making does. */
  get(): Promise<T> {
    this.#value ??= this.#make().catch((error: unknown) => {
      this.#value = undefined;
      throw error;
    });
    return this.#value;
  }

  /** Another value from here on. */
  set(value: T): void {
    this.#value = Promise.resolve(value);
  }

  /** The value, if it was asked for and could be made. */
  async made(): Promise<T | undefined> {
    return this.#value?.catch(() => undefined);
  }
}
