// How long a unit of work takes here, learnt from what was measured: for each model, since a step of
// one may take ten times as long as another's.

/** Share of the newest measurement in the average: the last handful of jobs decide. */
const NEWEST = 0.3;

export class Pace {
  /** by model; '' for jobs that name none */
  readonly #perUnit = new Map<string, number>();
  /** over all models */
  #overall: number | undefined;

  /** Whether anything was measured yet. */
  get known(): boolean {
    return this.#overall !== undefined;
  }

  /**
   * ms per work unit of a model; of all of them where this one was not measured yet. Before any
   * measurement each unit counts as 1 ms: that gives the order, and no time is told.
   */
  perUnit(model: string | undefined): number {
    return this.#perUnit.get(model ?? '') ?? this.#overall ?? 1;
  }

  /** Jobs without work, and times that no clock can give, teach nothing. */
  measured(work: number, milliseconds: number, model: string | undefined): void {
    const sample = milliseconds / work;
    if (!(work > 0) || !(milliseconds >= 0) || !Number.isFinite(sample)) return;
    this.#perUnit.set(model ?? '', averaged(this.#perUnit.get(model ?? ''), sample));
    this.#overall = averaged(this.#overall, sample);
  }
}

function averaged(before: number | undefined, sample: number): number {
  return before === undefined ? sample : before + NEWEST * (sample - before);
}
