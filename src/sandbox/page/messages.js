// @ts-check
// The list of messages: keeps them in order, follows the newest one only when the reader is already
// there, and tells screen readers what came without reading every edit aloud.
import { h } from './dom.js';
import { commandOf, describe, formOf, isLoading, messageView } from './message.js';

/** @typedef {import('./message.js').Shown} Shown */
/** @typedef {import('./types.js').Surroundings} Surroundings */
/** @typedef {ReturnType<typeof messageView>} MessageView */
/** @typedef {{ messages: readonly Shown[], older: boolean }} Part a run of messages, oldest first, and whether
 *   there are older ones */

/** Messages of one author within this time share one head, in ms. */
const GROUP_SPAN = 7 * 60_000;
/** How near the end counts as being there, in px. */
const NEAR = 24;
/** How near the top older messages are asked for, in px. */
const TOP = 400;

export class Messages {
  /** @type {Map<string, MessageView>} in order of the list */
  #views = new Map();
  /** Whether the reader is at the end, and so wants to see what comes. */
  #following = true;
  /** Where the list was scrolled to when last looked, in px. */
  #top = 0;
  /** How far each message was when it was last looked at. @type {Map<string, ReturnType<typeof formOf>>} */
  #forms = new Map();
  /** Whether there are older messages than those in the list. */
  #older = false;
  /** True while older ones are under way. */
  #fetching = false;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} list
   * @param {HTMLElement} announcer an aria-live region
   * @param {HTMLButtonElement} jump the button that leads to the end
   * @param {Surroundings} around
   * @param {(before: string) => Promise<Part>} fetchOlder
   */
  constructor(scroller, list, announcer, jump, around, fetchOlder) {
    this.scroller = scroller;
    this.list = list;
    this.announcer = announcer;
    this.jump = jump;
    this.around = around;
    this.fetchOlder = fetchOlder;
    const scrolled = () => {
      this.#look();
      if (this.#older && scroller.scrollTop < TOP) void this.#more();
    };
    scroller.addEventListener('scroll', scrolled, { passive: true });
    // Pictures that load, boxes that grow and a command box that takes room must not push the end away.
    const observer = new ResizeObserver(() => this.#follow());
    observer.observe(list);
    observer.observe(scroller);
    jump.addEventListener('click', () => this.toEnd());
  }

  toEnd() {
    this.#look();
    this.#following = true;
    this.jump.hidden = true;
    this.#top = 0;
    this.#follow();
  }

  /** Who scrolls up stops following; who comes to the end begins to. Growth alone changes nothing. */
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (scrollHeight - scrollTop - clientHeight < NEAR) {
      this.#following = true;
      this.jump.hidden = true;
    } else if (scrollTop < this.#top - 1) this.#following = false;
    this.#top = scrollTop;
  }

  #follow() {
    this.#look();
    if (!this.#following) return;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#top = this.scroller.scrollTop;
  }

  /** Apps have other commands now. */
  refreshMenus() {
    for (const view of this.#views.values()) view.refreshMenu();
  }

  /** @param {string} id */
  get(id) {
    return this.#views.get(id)?.message;
  }

  get size() {
    return this.#views.size;
  }

  /**
   * Shows these messages; those already on show keep their places and pictures. Older ones stay where
   * these follow them without a gap.
   * @param {Part} part the newest
   */
  reset({ messages, older }) {
    this.#look();
    const first = messages[0];
    const stays = (/** @type {Shown} */ one) =>
      older && first !== undefined && this.#views.has(first.id) && isAfter(first, one);
    const wanted = new Set(messages.map((message) => message.id));
    const others = [...this.#views.values()].filter(({ message }) => !wanted.has(message.id));
    for (const { message } of others) if (!stays(message)) this.#drop(message.id);
    if (!others.some(({ message }) => stays(message))) this.#older = older;
    let added = false;
    for (const message of messages) {
      added ||= !this.#views.has(message.id);
      if (!isLoading(message)) this.#forms.set(message.id, formOf(message));
      this.#place(message);
    }
    this.#regroup();
    if (added && !this.#following) this.jump.hidden = false;
  }

  /** Nothing of what is on show is for the next reader. */
  clear() {
    for (const id of [...this.#views.keys()]) this.#drop(id);
    this.#older = false;
    this.#following = true;
    this.jump.hidden = true;
  }

  /**
   * Brings a message into sight and gives it the focus, fetching older ones until it is there.
   * @param {string} id
   */
  async goTo(id) {
    while (!this.#views.has(id) && this.#older) {
      const first = this.list.firstElementChild;
      await this.#more();
      if (this.list.firstElementChild === first) break; // there are no more, or they cannot be had now
    }
    const view = this.#views.get(id);
    if (!view) {
      const from = document.activeElement?.closest('.message');
      if (from instanceof HTMLElement)
        this.warn(from.dataset.id ?? '', 'That message is no longer here.');
      return;
    }
    this.#following = false;
    const { element } = view;
    element.classList.add('reached');
    element.addEventListener('blur', () => element.classList.remove('reached'), { once: true });
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: 'center' });
    this.#look();
  }

  /** Puts older messages on top; what is being read stays where it is. */
  async #more() {
    const first = this.list.firstElementChild;
    const before = first instanceof HTMLElement ? first.dataset.id : undefined;
    if (this.#fetching || before === undefined) return;
    this.#fetching = true;
    try {
      const { messages, older } = await this.fetchOlder(before);
      // Another person's list by now.
      if (this.list.firstElementChild !== first) return;
      this.#older = older;
      const { scrollTop, scrollHeight } = this.scroller;
      for (const message of messages) {
        this.#forms.set(message.id, formOf(message));
        this.#place(message);
      }
      this.#regroup();
      this.scroller.scrollTop = scrollTop + this.scroller.scrollHeight - scrollHeight;
      this.#top = this.scroller.scrollTop;
    } catch {
      // The next scroll asks again.
    } finally {
      this.#fetching = false;
    }
  }

  /**
   * Shows a message or its newer version.
   * @param {Shown} message
   * @param {string} [instead] id of the page's own stand-in that it takes the place of
   */
  put(message, instead) {
    this.#look();
    const known = this.#views.has(message.id);
    if (instead && this.#views.has(instead)) this.#drop(instead);
    this.#place(message);
    this.#regroup();
    if (!known && !this.#following) this.jump.hidden = false;
    // Announced when it first says something, and once more when what was forming is there.
    if (isLoading(message) || message.waiting) return;
    const form = formOf(message);
    const last = this.#forms.get(message.id);
    this.#forms.set(message.id, form);
    const arrived = form !== last && form !== 'forming' && last !== 'picture';
    if (last === undefined || arrived) this.#announce(describe(message));
  }

  /** @param {string} id */
  remove(id) {
    this.#drop(id);
    this.#regroup();
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  warn(id, text) {
    this.#views.get(id)?.warn(text);
  }

  /** @param {string} text */
  #announce(text) {
    this.announcer.replaceChildren(h('p', { text }));
  }

  /** @param {string} id */
  #drop(id) {
    const view = this.#views.get(id);
    if (!view) return;
    this.#views.delete(id);
    this.#forms.delete(id);
    // The keyboard's place in the list must not be lost with the message it was on.
    if (view.element.contains(document.activeElement)) {
      const neighbour = view.element.nextElementSibling ?? view.element.previousElementSibling;
      if (neighbour instanceof HTMLElement) neighbour.focus();
    }
    view.element.remove();
    view.dispose?.();
  }

  /** @param {Shown} message */
  #place(message) {
    const view = this.#views.get(message.id);
    if (view) {
      view.update(message);
      return;
    }
    const fresh = messageView(this.around);
    fresh.update(message);
    this.#views.set(message.id, fresh);
    const later = [...this.list.children].find((element) => {
      const other =
        element instanceof HTMLElement ? this.#views.get(element.dataset.id ?? '') : undefined;
      return other !== undefined && isAfter(other.message, message);
    });
    this.list.insertBefore(fresh.element, later ?? null);
  }

  #regroup() {
    /** @type {Shown | null} */
    let above = null;
    for (const element of this.list.children) {
      const view =
        element instanceof HTMLElement ? this.#views.get(element.dataset.id ?? '') : undefined;
      if (!view) continue;
      const { message } = view;
      view.setGrouped(
        above !== null &&
          above.author.id === message.author.id &&
          ((above.flags ?? 0) & 64) === ((message.flags ?? 0) & 64) &&
          !commandOf(message)?.name &&
          !message.referenced_message &&
          Date.parse(message.timestamp) - Date.parse(above.timestamp) < GROUP_SPAN,
      );
      above = message;
    }
  }
}

/**
 * Whether a stands after b: by snowflake, or by time where one is the page's own stand-in.
 * @param {Shown} a
 * @param {Shown} b
 */
function isAfter(a, b) {
  const snowflake = /^\d+$/;
  if (snowflake.test(a.id) && snowflake.test(b.id)) return BigInt(a.id) > BigInt(b.id);
  return Date.parse(a.timestamp) > Date.parse(b.timestamp);
}
