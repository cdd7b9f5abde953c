// The reply that shows a picture forming.
//
// One edit is in flight at most. While it travels, newer states replace the one that waits, and
// pictures are asked for only when the last edit has landed and its rate limit allows the next. The
// final state goes out as soon as the edit in flight has landed, before anything that waits.

import { setTimeout as delay } from 'node:timers/promises';
import { backoff, failureOf } from './failures.js';
import type { MessageBody } from './message.js';
import type { Sent } from './rest.js';

/** Carries one state of the message to Discord, replacing the last. Throws what Discord answers. */
export type Transport = (body: MessageBody, final: boolean) => Promise<Sent>;

/**
 * What became of the final state: it stands on Discord; there is no message left to carry it; the bot
 * may not write where it would stand; its file is too large for the way that is left; Discord finds
 * fault with it; or it was given up for now (the bot stops, or Discord answered nothing for too long).
 */
export type Delivery = 'delivered' | 'gone' | 'forbidden' | 'too-large' | 'refused' | 'abandoned';

/** ms between tries where the bot may not write: who refuses often is refused altogether. */
const CLOSED_PACE = 60_000;
/** How long a farewell is tried, ms: the process is about to end. */
const PARTING = 1200;
/** ms for which the final state is tried often; after that Discord is down for long. */
const PATIENCE = 15 * 60_000;
/** ms between tries from then on, until this process ends. */
const SELDOM = 60_000;

export class LiveReply {
  readonly #transport: Transport;
  readonly #onRefused: (error: unknown) => void;
  /** the newest state that has not been sent */
  #frame: MessageBody | undefined;
  #final: MessageBody | undefined;
  #farewell: MessageBody | undefined;
  #source: (() => Promise<MessageBody | undefined>) | undefined;
  /** true while the source has been asked and has not answered */
  #pulling = false;
  /** ms on a clock that nobody sets, before which only the final state may be sent */
  #quietUntil = 0;
  /** failed tries in a row */
  #failures = 0;
  #running = false;
  #loop: Promise<void> = Promise.resolve();
  #outcome: Delivery | undefined;
  /** ends the wait that the loop is in */
  #wake: () => void = () => {};
  readonly #closed = new AbortController();

  /** @param onRefused told when Discord finds fault with a state: a bug, which is then dropped */
  constructor(transport: Transport, onRefused: (error: unknown) => void) {
    this.#transport = transport;
    this.#onRefused = onRefused;
  }

  /** Shows a state when it can; a newer one replaces it unseen. */
  show(body: MessageBody): void {
    if (this.#isEnding()) return;
    this.#frame = body;
    this.#start();
  }

  /** From now on asks `source` for the next picture whenever one could be shown; it ends with undefined. */
  follow(source: () => Promise<MessageBody | undefined>): void {
    if (this.#isEnding()) return;
    this.#source = source;
    this.#start();
  }

  /**
   * The last state of this process, which is not the end: goes out when the edit in flight has
   * landed, and nothing after it. Resolves when it has landed or was given up; does nothing where
   * the final state is on its way.
   */
  async leave(body: MessageBody): Promise<void> {
    if (this.#isEnding()) return;
    this.#farewell = body;
    this.#frame = undefined;
    this.#source = undefined;
    this.#start();
    await this.#loop;
  }

  #isEnding(): boolean {
    return [this.#final, this.#farewell, this.#outcome].some((one) => one !== undefined);
  }

  /**
   * The last state: resolves when its fate is known. After 'refused' and 'too-large' another may be
   * tried.
   */
  async finish(body: MessageBody): Promise<Delivery> {
    if (this.#outcome === 'refused' || this.#outcome === 'too-large') this.#outcome = undefined;
    this.#final = body;
    this.#frame = undefined;
    this.#source = undefined;
    while (this.#outcome === undefined) {
      this.#start();
      await this.#loop;
    }
    return this.#outcome;
  }

  /** There is a new way to Discord: what waits for the end of a pause need not. */
  resume(): void {
    this.#quietUntil = 0;
    this.#wake();
  }

  /** Sends nothing more. An edit in flight is left to land. */
  close(): void {
    this.#outcome ??= 'abandoned';
    this.#closed.abort();
    this.#wake();
  }

  #start(): void {
    this.#wake();
    if (this.#running || this.#outcome !== undefined) return;
    this.#running = true;
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    while (this.#outcome === undefined) {
      const quiet = this.#quietUntil - performance.now();
      if (this.#final !== undefined) await this.#deliver(this.#final);
      else if (this.#farewell !== undefined) await this.#part(this.#farewell);
      else if (quiet > 0) await this.#pause(quiet);
      else if (this.#frame !== undefined) await this.#send(this.#frame);
      else if (this.#source !== undefined) {
        this.#pull(this.#source);
        await this.#pause();
      } else break;
    }
    // In the same turn as the decision to end: a state that comes later starts the loop anew.
    this.#running = false;
  }

  #pull(source: () => Promise<MessageBody | undefined>): void {
    if (this.#pulling) return;
    this.#pulling = true;
    source()
      .catch((error: unknown) => {
        this.#onRefused(error); // a bug: the reply goes on without previews
        return undefined;
      })
      .then((body) => {
        this.#pulling = false;
        if (this.#source === source) {
          if (body === undefined) this.#source = undefined;
          else this.#frame = body;
        }
        this.#wake();
      });
  }

  /** A state that may be lost: when sending fails, the next one is the retry. */
  async #send(frame: MessageBody): Promise<void> {
    this.#frame = undefined;
    try {
      const sent = await this.#transport(frame, false);
      this.#failures = 0;
      this.#quietUntil = performance.now() + sent.paceMs;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === 'gone' || failure.kind === 'token') this.#outcome ??= 'gone';
      else {
        if (failure.kind === 'refused') this.#onRefused(error);
        this.#failures += 1;
        const wait =
          failure.kind === 'later'
            ? failure.afterMs
            : failure.kind === 'forbidden'
              ? CLOSED_PACE
              : undefined;
        this.#quietUntil = performance.now() + (wait ?? backoff(this.#failures));
        // A waiting text has no successor of its own: keep it unless something newer has come.
        if (failure.kind === 'later' && this.#source === undefined) this.#frame ??= frame;
      }
    }
  }

  /** The final state is an edit that says everything, so that repeating a lost one changes nothing. */
  async #deliver(body: MessageBody): Promise<void> {
    const soon = performance.now() + PATIENCE;
    for (let attempt = 1; this.#outcome === undefined; attempt++) {
      try {
        await this.#transport(body, true);
        this.#outcome = 'delivered';
        return;
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind !== 'later') {
          if (failure.kind === 'refused') this.#onRefused(error);
          const { kind } = failure;
          this.#outcome = kind === 'token' || kind === 'acknowledged' ? 'gone' : kind;
          return;
        }
        const wait = Math.max(
          failure.afterMs ?? backoff(attempt),
          performance.now() < soon ? 0 : SELDOM,
        );
        await delay(wait, undefined, { signal: this.#closed.signal }).catch(() => {});
      }
    }
  }

  async #part(body: MessageBody): Promise<void> {
    const until = performance.now() + PARTING;
    for (let attempt = 1; this.#outcome === undefined; attempt++) {
      try {
        await this.#transport(body, false);
        break;
      } catch (error) {
        const failure = failureOf(error);
        const wait = failure.kind === 'later' ? (failure.afterMs ?? backoff(attempt)) : PARTING;
        if (performance.now() + wait >= until) break;
        await delay(wait, undefined, { signal: this.#closed.signal }).catch(() => {});
      }
    }
    this.#outcome ??= 'abandoned';
  }

  /** Waits until something changes, or for so many ms. */
  async #pause(milliseconds?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (milliseconds !== undefined) timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
    this.#wake = () => {};
  }
}
