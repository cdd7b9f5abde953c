// Pictures that wait for their owner, handed over along with something that the owner does: its
// token reaches them privately.

import type { Exchange } from '../discord/exchange.js';
import { failureOf } from '../discord/failures.js';
import type { ReplyToken } from '../discord/message.js';
import type { MessageRest } from '../discord/rest.js';
import { textsFor } from '../discord/texts/index.js';
import { UserError } from '../errors.js';
import type { Store } from '../store/types.js';
import type { Claims } from './claims.js';
import { endOf } from './endings.js';
import type { EnginePool } from './engines.js';
import { factsOf } from './facts.js';

export interface HandOverOptions {
  readonly store: Store;
  readonly claims: Claims;
  readonly engines: EnginePool;
  readonly rest: MessageRest;
  readonly bug: (error: unknown, id: string) => void;
}

export class HandOver {
  readonly #store: Store;
  readonly #claims: Claims;
  readonly #engines: EnginePool;
  readonly #rest: MessageRest;
  readonly #bug: HandOverOptions['bug'];

  constructor({ store, claims, engines, rest, bug }: HandOverOptions) {
    this.#store = store;
    this.#claims = claims;
    this.#engines = engines;
    this.#rest = rest;
    this.#bug = bug;
  }

  /** Sends all that waits for a person, to them alone; what cannot be sent now waits on. */
  async all(exchange: Exchange, token: ReplyToken): Promise<void> {
    for (const id of await this.#claims.take(exchange.userId)) {
      const settled = await this.#one(id, exchange, token).catch((error: unknown) => {
        const { kind } = failureOf(error);
        if (kind === 'refused') this.#bug(error, id);
        return kind === 'refused' && !(error instanceof UserError); // the store may do it later
      });
      if (settled) await this.#claims.done(exchange.userId, id);
      else this.#claims.putBack(id);
    }
  }

  /** @returns false where it has to wait on */
  async #one(id: string, exchange: Exchange, token: ReplyToken): Promise<boolean> {
    const generation = await this.#store.get(id);
    if (generation === undefined) return true; // removed meanwhile
    const { parameters, reply } = generation;
    const model = this.#engines.offered.find(({ name }) => name === parameters.model);
    const facts = factsOf(generation, model?.defaultScheduler ?? '');
    const body = await endOf(this.#store, generation, facts, textsFor(exchange.locale));
    // What was painted for a wider limit waits for it to come back; /steps has it meanwhile.
    const size = body.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (size > exchange.attachmentLimit) return false;
    const { applicationId } = reply;
    const address = { ...token, applicationId, messageId: null, ephemeral: true };
    await this.#rest.followUp(address, body);
    return true;
  }
}
