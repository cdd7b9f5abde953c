// Steps on their way to the bot. Each message wakes another process, which where steps are quick costs
// more than all else between two of them: what comes within a tenth of a second goes together.

import type { SentStep } from './protocol.js';

/** ms: the least time between two messages, and the most work that a killed process takes with it */
const GAP = 100;
/** bytes that are not kept back: a message that does not fit into the pipe waits for its reader */
const MUCH = 2 ** 16;

export class Outbox {
  readonly #send: (steps: readonly SentStep[]) => Promise<void>;
  #steps: SentStep[] = [];
  #bytes = 0;
  /** performance.now of the last message; the first step leaves at once */
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(send: (steps: readonly SentStep[]) => Promise<void>) {
    this.#send = send;
  }

  add(step: SentStep): void {
    const { checkpoint, kept } = step.report;
    this.#steps.push(step);
    this.#bytes += checkpoint.byteLength + kept.predictedOriginal.byteLength;
  }

  /** Whether what waits has waited long enough, or is enough. */
  get due(): boolean {
    return this.#bytes >= MUCH || performance.now() - this.#sentAt >= GAP;
  }

  /** Sends what waits; resolves when it has left. */
  async flush(): Promise<void> {
    const steps = this.#steps;
    if (steps.length === 0) return;
    this.#steps = [];
    this.#bytes = 0;
    this.#sentAt = performance.now();
    await this.#send(steps);
  }
}
