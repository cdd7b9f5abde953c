// Which provider the next engine process tries first: one whose accelerator is lost gets a second
// chance with a fresh process, then the run goes on with the provider after it.

/** Accelerators of one provider that may be lost under one run. */
const CHANCES = 2;
/** Runs in a row that had to go on below, after which nothing above is tried again. */
const MOST_FALLS = 2;

export class Ladder {
  readonly #all: readonly string[];
  /** of `#all`, left out at the beginning */
  #skip = 0;
  #losses = 0;
  #falls = 0;

  constructor(providers: readonly string[]) {
    this.#all = providers;
  }

  /** What the next process tries, in this order. */
  get providers(): readonly string[] {
    return this.#all.slice(this.#skip);
  }

  /**
   * The accelerator of a provider was lost under a run.
   * @returns what the run goes on with: the same providers, or those after this one; none: it cannot
   */
  lost(provider: string): readonly string[] {
    this.#losses += 1;
    if (this.#losses < CHANCES) return this.providers;
    this.#losses = 0;
    const at = this.#all.indexOf(provider, this.#skip);
    if (at < 0 || at + 1 >= this.#all.length) return [];
    this.#skip = at + 1;
    return this.providers;
  }

  /** A run has ended in one way or another. */
  runEnded(): void {
    this.#losses = 0;
    this.#falls = this.#skip > 0 ? this.#falls + 1 : 0;
  }

  /**
   * The next run begins.
   * @returns true when it is to try all providers again, for which it needs a fresh process
   */
  climb(): boolean {
    if (this.#skip === 0 || this.#falls >= MOST_FALLS) return false;
    this.#skip = 0;
    return true;
  }
}
