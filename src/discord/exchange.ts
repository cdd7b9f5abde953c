// One interaction and what has been said in answer to it. It knows which kind of answer Discord
// still takes, so that commands only say what they mean.

import { setTimeout as delay } from 'node:timers/promises';
import type {
  APIApplicationCommandOptionChoice,
  APIModalInteractionResponseCallbackData,
} from 'discord-api-types/v10';
import { backoff, failureOf, isOutOfReach } from './failures.js';
import {
  type MessageBody,
  ORIGINAL,
  type ReplyAddress,
  type ReplyToken,
  TOKEN_LIFETIME,
  textOnly,
} from './message.js';
import { within } from './patience.js';
import { ELLIPSIS, type FirstAnswer, type MessageRest } from './rest.js';

/** What an Exchange needs of an interaction; discord.js's have it. */
export interface InteractionFacts {
  readonly id: string;
  readonly token: string;
  readonly applicationId: string;
  readonly channelId: string | null;
  readonly guildId: string | null;
  readonly locale: string;
  readonly user: { readonly id: string };
  readonly attachmentSizeLimit: number;
}

/** Where it is written down that somebody waits for an answer, so that a crash does not forget them. */
export interface OpenAnswers {
  open(address: ReplyAddress, locale: string): Promise<void>;
  close(address: ReplyAddress): void;
}

/** Discord's default limit of an upload, bytes. */
const DEFAULT_UPLOAD = 10 * 1024 * 1024;
/** Tries of an answer; the interaction is void 3 s after it was made. */
const ANSWER_PATIENCE = 2800;
/** ms that the acknowledgement waits for the disk at most. */
const SLOW_DISK = 500;
/** Tries of an edit that a person waits for, ms. */
const EDIT_PATIENCE = 14 * 60_000;

export class Exchange {
  readonly userId: string;
  readonly locale: string;
  readonly guildId: string | null;
  readonly channelId: string;
  /** bytes that a file may have */
  readonly attachmentLimit: number;
  readonly #rest: MessageRest;
  readonly #receivedAt: number;
  readonly #open: OpenAnswers | undefined;
  #isOpen = false;
  readonly #interaction: InteractionFacts;
  #answered: FirstAnswer['type'] | undefined;
  #ephemeral = false;
  #messageId: string = ORIGINAL;
  /** something stands in the channel by now, so that more can follow it */
  #shown = false;

  constructor(interaction: InteractionFacts, rest: MessageRest, now: number, open?: OpenAnswers) {
    this.#interaction = interaction;
    this.#rest = rest;
    this.#receivedAt = now;
    this.#open = open;
    this.userId = interaction.user.id;
    this.locale = interaction.locale;
    this.guildId = interaction.guildId;
    this.channelId = interaction.channelId ?? '';
    this.attachmentLimit = interaction.attachmentSizeLimit || DEFAULT_UPLOAD;
  }

  /** The reply of this interaction. */
  address(ephemeral: boolean): ReplyAddress {
    return {
      ...this.#token(),
      applicationId: this.#interaction.applicationId,
      messageId: this.#messageId,
      ephemeral,
    };
  }

  /**
   * What this interaction leaves in one's hand: it makes messages that its person alone sees.
   * Undefined while it could not: Discord takes a message that follows an answer which still loads
   * for that answer.
   */
  get token(): ReplyToken | undefined {
    return this.#shown ? this.#token() : undefined;
  }

  #token(): ReplyToken {
    return {
      interactionId: this.#interaction.id,
      interactionToken: this.#interaction.token,
      tokenExpiresAt: this.#receivedAt + TOKEN_LIFETIME,
      channelId: this.channelId,
    };
  }

  /** To be called when somebody else has shown something in the reply of this interaction. */
  shown(): void {
    this.#shown = true;
  }

  /**
   * "Thinking ..."; resolves with the message's id where Discord tells it. Twice is as once.
   * @param promised the store holds what will answer
   */
  async defer(ephemeral: boolean, promised = false): Promise<string | undefined> {
    if (this.#answered === 'defer')
      return this.#messageId === ORIGINAL ? undefined : this.#messageId;
    this.#ephemeral = ephemeral;
    if (!promised) await this.#remember();
    const id = await this.#answer({ type: 'defer', ephemeral });
    if (id !== undefined) this.#messageId = id;
    return id;
  }

  /** A disk that fails or hangs must not cost the answer: then a crash could leave it open. */
  async #remember(): Promise<void> {
    if (this.#open === undefined || this.#isOpen) return;
    this.#isOpen = true;
    const written = this.#open.open(this.address(this.#ephemeral), this.locale).catch(() => {});
    await within(SLOW_DISK, written);
  }

  /** Nobody waits any more: to be called when the answer stands, or the store holds what will answer. */
  settled(): void {
    if (this.#isOpen) this.#open?.close(this.address(this.#ephemeral));
    this.#isOpen = false;
  }

  /** Takes a button press; `edit` then changes the message that the button stands on. */
  async deferUpdate(): Promise<void> {
    await this.#answer({ type: 'defer-update' });
    this.#shown = true;
  }

  /** Answers at once. */
  async respond(body: MessageBody, ephemeral: boolean): Promise<void> {
    this.#ephemeral = ephemeral;
    await this.#answer({ type: 'message', body, ephemeral });
    this.#shown = true;
  }

  async modal(modal: APIModalInteractionResponseCallbackData): Promise<void> {
    await this.#answer({ type: 'modal', modal });
  }

  /** At most 25 are shown. */
  async choices(choices: readonly APIApplicationCommandOptionChoice[]): Promise<void> {
    await this.#answer({ type: 'choices', choices: choices.slice(0, 25) });
  }

  /** Replaces the reply, or after `deferUpdate` the button's message. */
  async edit(body: MessageBody): Promise<void> {
    await persist(() => this.#rest.editByToken(this.address(this.#ephemeral), body));
    this.#shown = true;
  }

  async deleteReply(): Promise<void> {
    await persist(() => this.#rest.deleteByToken(this.address(this.#ephemeral)));
  }

  /** Tells the person, and nobody else, that it was not to be. */
  async refuse(sentence: string): Promise<void> {
    const body = textOnly(sentence);
    if (this.#answered === 'choices') return;
    if (this.#answered === undefined) return this.respond(body, true);
    if (this.#answered === 'defer') {
      await refuseDeferred(this.#rest, this.address(this.#ephemeral), body);
      this.#shown = this.#ephemeral;
      return;
    }
    await persist(() => this.#rest.followUp(this.address(true), body));
  }

  get answered(): boolean {
    return this.#answered !== undefined;
  }

  /**
   * Sends the first answer, again when it seems lost. "Already acknowledged" after a lost try means
   * that the lost one had arrived.
   */
  async #answer(answer: FirstAnswer): Promise<string | undefined> {
    if (this.#answered !== undefined) {
      throw new Error(`answered with ${answer.type} after ${this.#answered}`);
    }
    this.#answered = answer.type;
    let lost = false;
    let late = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#rest.answer(this.#interaction.id, this.#interaction.token, answer);
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind === 'acknowledged' && lost) return undefined;
        // What Discord did not take is no answer: the person can still be told.
        if (failure.kind === 'refused' || failure.kind === 'too-large') this.#answered = undefined;
        if (failure.kind !== 'later') throw error;
        lost ||= failure.lost;
        const wait = failure.afterMs ?? Math.min(backoff(attempt) / 2, 500);
        // Too late for another answer; but a last try tells whether a lost one had arrived.
        if (late) throw error;
        late = Date.now() + wait - this.#receivedAt > ANSWER_PATIENCE;
        if (late && !lost) throw error;
        await delay(wait);
      }
    }
  }
}

/**
 * Tells the person, and nobody else, instead of what they wait for. A public "thinking" cannot become
 * private, and Discord takes a message that follows it for its answer: so it is answered, the sentence
 * follows privately, and the answer is deleted.
 */
export async function refuseDeferred(
  rest: MessageRest,
  address: ReplyAddress,
  body: MessageBody,
): Promise<void> {
  if (address.ephemeral) return persist(() => rest.editByToken(address, body));
  await persist(() => rest.editByToken(address, textOnly(ELLIPSIS)));
  await persist(() => rest.followUp({ ...address, ephemeral: true }, body));
  await persist(() => rest.deleteByToken(address));
}

/** Until it has arrived, or there is nobody to arrive at. */
async function persist(call: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + EDIT_PATIENCE;
  for (let attempt = 1; ; attempt++) {
    try {
      await call();
      return;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === 'token' || isOutOfReach(failure)) return;
      if (failure.kind !== 'later') throw error;
      const wait = failure.afterMs ?? backoff(attempt);
      if (performance.now() + wait > until) throw error;
      await delay(wait);
    }
  }
}
