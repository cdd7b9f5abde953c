// How long a unit of work takes here, learnt from what was measured.

/** Share of the newest measurement in the average: the last handful of jobs decide. */
const NEWEST = 0.3;

export class Pace {
  #perUnit: number | undefined;

  /** ms per work unit; undefined before any measurement */
  get perUnit(): number | undefined {
    return this.#perUnit;
  }

  /** Jobs without work, and times that no clock can give, teach nothing. */
  measured(work: number, milliseconds: number): void {
    const sample = milliseconds / work;
    if (!(work > 0) || !(milliseconds >= 0) || !Number.isFinite(sample)) return;
    this.#perUnit =
      this.#perUnit === undefined ? sample : this.#perUnit + NEWEST * (sample - this.#perUnit);
  }
}
