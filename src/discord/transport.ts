// Brings the states of one reply to Discord by whatever way still exists: the interaction's token,
// the bot's own token once that has died, or a new message where there is none to edit.

import { failureOf, isArchived } from './failures.js';
import { type MessageBody, ORIGINAL, type ReplyAddress, type ReplyToken } from './message.js';
import type { MessageRest, Sent } from './rest.js';

export interface TransportHooks {
  /** called before a message is made, so that a crash cannot make a second one unseen */
  beforeNewMessage(): Promise<void>;
  /** called when the message's id becomes known */
  onMessage(messageId: string): void;
}

export interface TransportOptions {
  readonly rest: MessageRest;
  readonly address: ReplyAddress;
  /** stands in the message's buttons and file names: how it is found again; at most 25 characters */
  readonly marker: string;
  readonly hooks: TransportHooks;
  /**
   * Resolves when the interaction's first reply shows something. Discord turns a follow-up made
   * before that into an edit of the first reply.
   */
  readonly after?: Promise<void>;
  /** true when the making of a message was begun earlier and its end is not known */
  readonly unsure: boolean;
  /** what is said in the channel when a private reply can no longer be reached; no picture, no name */
  readonly privateNotice: MessageBody;
}

/** What is sent when there is no way to say something that another state will say again. */
const OUT_OF_REACH: Sent = { messageId: undefined, paceMs: 60_000 };

export class ReplyTransport {
  readonly #rest: MessageRest;
  readonly #marker: string;
  readonly #hooks: TransportHooks;
  readonly #privateNotice: MessageBody;
  #address: ReplyAddress;
  #unsure: boolean;
  #noticed = false;
  /** the token that Discord has refused */
  #deadToken: string | undefined;
  readonly #after: Promise<void> | undefined;
  #open: () => void = () => {};
  /** Resolves when the message has shown its first state, or never will. */
  readonly opened: Promise<void> = new Promise((resolve) => {
    this.#open = resolve;
  });

  constructor(options: TransportOptions) {
    this.#rest = options.rest;
    this.#address = options.address;
    this.#marker = options.marker;
    this.#hooks = options.hooks;
    this.#unsure = options.unsure;
    this.#privateNotice = options.privateNotice;
    this.#after = options.after;
  }

  get messageId(): string | null {
    const id = this.#address.messageId;
    return id === ORIGINAL ? null : id;
  }

  /** True when a public word stands in the place of what was to be said privately. */
  get noticed(): boolean {
    return this.#noticed;
  }

  /** Where the message is now, and by what it is reached. */
  get address(): ReplyAddress {
    return this.#address;
  }

  /** True while a state changes a message that is there and shows it to its reader. */
  get canEdit(): boolean {
    if (this.#address.messageId === null) return false;
    return this.#tokenAlive() || (!this.#address.ephemeral && this.messageId !== null);
  }

  /** A press of one of the message's own buttons: its token reaches the message from now on. */
  renew(token: ReplyToken, messageId: string): void {
    const { interactionId, interactionToken, tokenExpiresAt } = token;
    const fresh = { interactionId, interactionToken, tokenExpiresAt, pressed: true };
    this.#address = { ...this.#address, ...fresh };
    this.learn(messageId);
  }

  /** Something else that the owner did: where the reply is private, the last way to them. */
  relieve(token: ReplyToken): void {
    this.#address = { ...this.#address, relief: token };
  }

  #tokenAlive(): boolean {
    const { interactionToken, tokenExpiresAt } = this.#address;
    return this.#deadToken !== interactionToken && Date.now() < tokenExpiresAt;
  }

  /** The id that the first answer made known. */
  learn(messageId: string): void {
    if (this.messageId === messageId) return;
    this.#address = { ...this.#address, messageId };
    this.#hooks.onMessage(messageId);
  }

  /**
   * Shows one state.
   * @throws what discord.js throws; `failureOf` says what it means
   */
  async send(body: MessageBody, final: boolean): Promise<Sent> {
    try {
      const sent = await this.#send(body, final);
      this.#open();
      return sent;
    } catch (error) {
      if (failureOf(error).kind !== 'later') this.#open();
      throw error;
    }
  }

  async #send(body: MessageBody, final: boolean): Promise<Sent> {
    while (this.#tokenAlive()) {
      const { interactionToken } = this.#address;
      try {
        return await this.#byToken(body);
      } catch (error) {
        if (failureOf(error).kind !== 'token') throw error;
        this.#deadToken = interactionToken; // and meanwhile there may be a fresh one
      }
    }
    return this.#address.ephemeral ? this.#privately(body, final) : this.#byBot(body, final);
  }

  async #byToken(body: MessageBody): Promise<Sent> {
    if (this.#address.messageId === null) {
      await this.#after;
      await this.#look();
    }
    if (this.#address.messageId !== null) {
      const sent = await this.#rest.editByToken(this.#address, body);
      if (sent.messageId !== undefined) this.learn(sent.messageId);
      return sent;
    }
    return this.#make(() => this.#rest.followUp(this.#address, body));
  }

  async #byBot(body: MessageBody, final: boolean): Promise<Sent> {
    if (this.messageId === null) await this.#look();
    if (this.messageId !== null) {
      try {
        return await this.#rest.editByBot(this.#address.channelId, this.messageId, body);
      } catch (error) {
        if (!final || !isArchived(error)) throw error;
      }
    }
    if (!final) return OUT_OF_REACH;
    return this.#make(() => this.#rest.post(this.#address.channelId, body, this.#marker));
  }

  /**
   * Nothing but an interaction's token reaches a person privately. Without one, a public word must
   * not show the picture or whose it is. Either is worth saying only once, at the end.
   */
  async #privately(body: MessageBody, final: boolean): Promise<Sent> {
    if (!final) return OUT_OF_REACH;
    const { relief } = this.#address;
    if (relief !== undefined && Date.now() < relief.tokenExpiresAt) {
      const { relief: _, pressed: __, ...address } = { ...this.#address, ...relief };
      try {
        return await this.#make(async () => {
          const sent = await this.#rest.followUp(address, body);
          this.#address = address; // what comes after it changes the new message
          return sent;
        });
      } catch (error) {
        const { kind } = failureOf(error);
        if (kind === 'later' || kind === 'refused') throw error;
      }
    }
    return this.#make(async () => {
      const sent = await this.#rest.post(
        this.#address.channelId,
        this.#privateNotice,
        this.#marker,
      );
      this.#noticed = true;
      return sent;
    });
  }

  /** Finds the message that an unconfirmed call may have made. Private ones cannot be found. */
  async #look(): Promise<void> {
    if (!this.#unsure || this.#address.ephemeral) return;
    try {
      const { applicationId, channelId } = this.#address;
      const found = await this.#rest.find(applicationId, channelId, this.#marker);
      this.#unsure = false;
      if (found !== undefined) this.learn(found.id);
    } catch (error) {
      // Without the right to read the channel nothing can be found; a second message is then the
      // smaller evil than none.
      if (failureOf(error).kind === 'later') throw error;
      this.#unsure = false;
    }
  }

  async #make(create: () => Promise<Sent>): Promise<Sent> {
    await this.#hooks.beforeNewMessage();
    try {
      const sent = await create();
      if (sent.messageId !== undefined) this.learn(sent.messageId);
      return sent;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === 'later' && failure.lost) this.#unsure = true;
      throw error;
    }
  }
}
