// Steps on their way to the bot. Each message wakes another process, which where steps are quick costs
// more than all else between two of them: what comes within a tenth of a second goes together, with
// the checkpoint of the last one alone.

import type { SentStep } from './protocol.js';

/** ms: the least time between two messages, and the most work that a killed process takes with it */
const GAP = 100;
/** bytes that are not kept back: a message that does not fit into the pipe waits for its reader */
const MUCH = 2 ** 16;

export class Outbox {
  readonly #send: (steps: readonly SentStep[]) => Promise<void>;
  #steps: SentStep[] = [];
  /** of the last step that waits */
  #checkpoint: () => Uint8Array = () => new Uint8Array();
  #bytes = 0;
  /** performance.now of the last message; the first step leaves at once */
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(send: (steps: readonly SentStep[]) => Promise<void>) {
    this.#send = send;
  }

  /** @param checkpoint of this step, made when it is sent and no later step goes with it */
  add(step: SentStep, checkpoint: () => Uint8Array): void {
    const { latents, predictedOriginal } = step.report;
    this.#steps.push(step);
    this.#checkpoint = checkpoint;
    this.#bytes += latents.byteLength + predictedOriginal.byteLength;
  }

  /** Whether what waits has waited long enough, or is enough. */
  get due(): boolean {
    return this.#bytes >= MUCH || performance.now() - this.#sentAt >= GAP;
  }

  /** Sends what waits; resolves when it has left. */
  async flush(): Promise<void> {
    const last = this.#steps.pop();
    if (last === undefined) return;
    const report = { ...last.report, checkpoint: this.#checkpoint() };
    const steps = [...this.#steps, { ...last, report }];
    this.#steps = [];
    this.#bytes = 0;
    this.#sentAt = performance.now();
    await this.#send(steps);
  }
}
