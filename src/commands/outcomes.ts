// What came of a job, put into words for its owner; when it is no picture it is written down first.

import type { Logger } from 'pino';
import { isForOperator, tellFailure } from '../discord/errors.js';
import type { MessageBody } from '../discord/message.js';
import { endedPanel } from '../discord/panels.js';
import { SLOW_DISK, within } from '../discord/patience.js';
import { EngineDied, RunCancelled } from '../engine/types.js';
import { UserError } from '../errors.js';
import type { Store } from '../store/types.js';
import { pictureOf } from './endings.js';
import type { Insistence } from './insistence.js';
import type { Job } from './job.js';
import { originOf } from './lineage.js';
import { isPainted } from './painting.js';

/** Thrown through the queue when the owner gives a picture up. */
export class Withdrawn extends Error {}

export interface OutcomesOptions {
  readonly store: Store;
  readonly insistence: Insistence;
  readonly logger: Logger;
  readonly bug: (error: unknown, id: string) => void;
}

export class Outcomes {
  readonly #store: Store;
  readonly #insistence: Insistence;
  readonly #logger: Logger;
  readonly #bug: OutcomesOptions['bug'];

  constructor({ store, insistence, logger, bug }: OutcomesOptions) {
    this.#store = store;
    this.#insistence = insistence;
    this.#logger = logger;
    this.#bug = bug;
  }

  /**
   * Writes down why there is no picture; one that was painted has been written down by then.
   * @param outcome what the job's task in the queue resolved with, or was rejected with
   * @returns what its owner is shown
   */
  async settle(job: Job, outcome: unknown): Promise<MessageBody> {
    const { id, reply } = job.generation;
    if (isPainted(outcome)) {
      const origin = await this.#originOf(job);
      return pictureOf(job.generation, job.facts, outcome, job.texts, origin);
    }
    if (outcome instanceof Withdrawn || outcome instanceof RunCancelled) {
      await this.#write(id, { state: 'cancelled' });
      this.#logger.info({ id }, 'cancelled');
      return endedPanel(job.facts, job.texts.cancelled, job.texts);
    }
    const failure = tellFailure(this.#reasonOf(outcome, id), reply.locale, id);
    await this.#write(id, { state: 'failed', failure });
    return endedPanel(job.facts, failure, job.texts);
  }

  /** No picture waits long for the way back to the one before it. */
  async #originOf({ id, generation }: Job): Promise<string | undefined> {
    const found = originOf(this.#store, generation, generation.reply.channelId).catch(
      (error: unknown) => {
        this.#bug(error, id);
        return undefined;
      },
    );
    return within(SLOW_DISK, found);
  }

  /** The error as its owner may hear of it; the operator hears of it here. */
  #reasonOf(error: unknown, id: string): unknown {
    if (error instanceof EngineDied) {
      this.#logger.error({ id, err: error }, 'the engine died twice');
      const sentence = 'The engine died twice over this picture; try a smaller one.';
      return new UserError('engine-died', sentence);
    }
    if (isForOperator(error)) this.#bug(error, id);
    return error;
  }

  /** What cannot be written down is told all the same; the next start then takes it up again. */
  async #write(
    id: string,
    outcome:
      | { readonly state: 'cancelled' }
      | { readonly state: 'failed'; readonly failure: string },
  ): Promise<void> {
    const endedAt = Date.now();
    await this.#insistence.write(id, () => this.#store.finish(id, outcome, endedAt));
  }
}
