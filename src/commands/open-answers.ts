// Who waits for an answer that nothing else in the store will give: written down before their
// interaction is acknowledged, so that after a crash nobody looks at "thinking" in vain.

import type { Logger } from 'pino';
import { type OpenAnswers, refuseDeferred } from '../discord/exchange.js';
import { type ReplyAddress, textOnly } from '../discord/message.js';
import type { MessageRest } from '../discord/rest.js';
import { textsFor } from '../discord/texts/index.js';
import type { OpenAnswer, Store } from '../store/types.js';
import { withoutRequest } from './log-safe.js';

export class StoredAnswers implements OpenAnswers {
  readonly #store: Store;
  readonly #rest: MessageRest;
  readonly #logger: Logger;

  constructor(options: {
    readonly store: Store;
    readonly rest: MessageRest;
    readonly logger: Logger;
  }) {
    this.#store = options.store;
    this.#rest = options.rest;
    this.#logger = options.logger;
  }

  async open(address: ReplyAddress, locale: string): Promise<void> {
    const { applicationId, interactionId, interactionToken, tokenExpiresAt } = address;
    const { channelId, ephemeral } = address;
    const where = { applicationId, interactionId, interactionToken, tokenExpiresAt };
    await this.#store.openAnswer({ ...where, channelId, ephemeral, locale });
  }

  close({ interactionId }: ReplyAddress): void {
    this.#store
      .closeAnswer(interactionId)
      .catch((error: unknown) => this.#logger.error({ err: error }, 'could not close an answer'));
  }

  /** Tells those whom an earlier process left waiting to ask again. */
  async tell(left: readonly OpenAnswer[]): Promise<void> {
    await Promise.all(
      left.map(async ({ locale, ...answer }) => {
        const address: ReplyAddress = { ...answer, messageId: null };
        const sentence = textOnly(textsFor(locale).interrupted);
        try {
          // It may have been answered, and the process have ended before it was written down.
          if (Date.now() < answer.tokenExpiresAt && (await this.#rest.isLoading(address)))
            await refuseDeferred(this.#rest, address, sentence);
          this.close(address);
        } catch (error) {
          this.#logger.warn({ err: withoutRequest(error) }, 'nobody could be told of the restart');
        }
      }),
    );
    if (left.length > 0) this.#logger.info({ left: left.length }, 'told who was left waiting');
  }
}
