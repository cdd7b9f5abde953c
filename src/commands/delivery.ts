// Brings a job's last word to its owner, by the next best way where the first is closed, and writes
// down that it has arrived.

import type { Logger } from 'pino';
import type { MessageBody } from '../discord/message.js';
import { endedPanel } from '../discord/panels.js';
import type { Store } from '../store/types.js';
import type { Claims } from './claims.js';
import type { Insistence } from './insistence.js';
import type { Job } from './job.js';

export interface DeliveryOptions {
  readonly store: Store;
  readonly claims: Claims;
  readonly insistence: Insistence;
  readonly logger: Logger;
}

export class Delivery {
  readonly #store: Store;
  readonly #claims: Claims;
  readonly #insistence: Insistence;
  readonly #logger: Logger;

  constructor({ store, claims, insistence, logger }: DeliveryOptions) {
    this.#store = store;
    this.#claims = claims;
    this.#insistence = insistence;
    this.#logger = logger;
  }

  /** Resolves when it has arrived, has been left to its owner's next command, or has to be given up. */
  async deliver(job: Job, body: MessageBody): Promise<void> {
    const { id, facts, texts, live, transport } = job;
    let delivery = await live.finish(body);
    if (delivery === 'refused') {
      // A bug of ours, logged by now. The picture is kept for /steps; the reply says what it can.
      delivery = await live.finish(endedPanel(facts, texts.broke(id), texts));
    }
    // Where the bot may not write it reaches its owner with whatever they do next, and so does what
    // their own token may upload, but not the bot's.
    const forbidden = delivery === 'forbidden';
    const tooLarge = delivery === 'too-large';
    if (tooLarge) delivery = await live.finish(endedPanel(facts, texts.tooLarge, texts));
    if (forbidden || tooLarge || transport.noticed)
      await this.#insistence.write(id, () => this.#claims.add(job.generation.userId, id));
    if (delivery !== 'abandoned')
      await this.#insistence.write(id, () => this.#store.delivered(id, transport.messageId));
    if (forbidden)
      this.#logger.warn(
        { id, channel: job.generation.reply.channelId },
        'the bot may not write in this channel; the picture waits for its owner',
      );
    if (delivery === 'gone') this.#logger.info({ id }, 'the reply is gone; nothing was sent');
  }
}
