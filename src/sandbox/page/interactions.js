// @ts-check
// What the user does and what becomes of it. Each interaction has a nonce of the page's; the sandbox
// says over the live connection whether the bot answered.
import { withResolvers } from './listbox.js';
import { interact, Refusal } from './server.js';

/** @typedef {import('./server.js').LiveEvent} LiveEvent */
/** @typedef {{ type: 'interaction.ack', nonce: string, interaction_id: string, kind: number, message_id: string | null }} Acknowledgement */
/** @typedef {{ acknowledged: Acknowledgement } | { failed: string } | { choices: import('./server.js').Completion[] } | { unknown: true }} Outcome
 *   unknown: nobody listens any more, so that nothing can be said of it */

/** Type of the callback that brings choices; the choices themselves follow it. */
const CHOICES = 8;

/** How much later than the bot's own time limit the page gives up by itself, in ms. */
const GRACE = 2500;

export class Interactions {
  /** By nonce. @type {Map<string, (outcome: Outcome) => void>} */
  #waiting = new Map();
  #count = 0;
  /** Sets this page's interactions apart from those of another tab with the same person. */
  #page = crypto.randomUUID();
  /** ms that the bot has to answer */
  limit = 3000;

  /**
   * Sends an interaction and waits for what becomes of it.
   * @param {{ user: string, type: number } & Record<string, unknown>} body
   * @param {(nonce: string) => void} [sent] called when it is on its way
   * @returns {Promise<Outcome>}
   * @throws {Refusal} when the sandbox does not take it
   */
  async send(body, sent) {
    this.#count += 1;
    const nonce = `${this.#page}-${this.#count}`;
    const { promise, resolve } = withResolvers(/** @type {Outcome} */ ({ failed: '' }));
    this.#waiting.set(nonce, resolve);
    try {
      await interact({ ...body, nonce, locale: navigator.language });
    } catch (error) {
      this.#waiting.delete(nonce);
      throw error instanceof Refusal ? error : new Refusal('The sandbox could not take it.');
    }
    sent?.(nonce);
    // The sandbox says when the bot is too late; this is for a sandbox that has gone away.
    const timer = setTimeout(
      () => resolve({ failed: 'The application did not respond' }),
      this.limit + GRACE,
    );
    const outcome = await promise;
    clearTimeout(timer);
    this.#waiting.delete(nonce);
    return outcome;
  }

  /** Whether an interaction was sent from this very page. @param {string} nonce */
  owns(nonce) {
    return nonce.startsWith(`${this.#page}-`);
  }

  /** The connection is gone, or becomes another person's: what is waited for is not heard of here. */
  letGo() {
    for (const settle of this.#waiting.values()) settle({ unknown: true });
  }

  /** @param {LiveEvent} event */
  take(event) {
    if (event.type === 'interaction.ack' && event.kind !== CHOICES) {
      this.#waiting.get(event.nonce)?.({ acknowledged: event });
    } else if (event.type === 'interaction.failed') {
      this.#waiting.get(event.nonce)?.({ failed: event.reason });
    } else if (event.type === 'autocomplete') {
      this.#waiting.get(event.nonce)?.({ choices: event.choices });
    }
  }
}
