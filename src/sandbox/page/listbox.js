// @ts-check
// Lists to choose from. `chooseFrom` opens one that takes the focus (selects); `Suggestions` is one
// that leaves the focus in a text field (commands, choices, autocomplete).
import { h, setAttribute } from './dom.js';

/**
 * @typedef {object} Item
 * @property {string} value
 * @property {string} label
 * @property {string} [detail]
 * @property {string} [emoji]
 * @property {boolean} [selected]
 */

let serial = 0;

/** @param {Item} item */
function row(item) {
  serial += 1;
  return h(
    'li',
    {
      class: 'choice',
      attrs: { role: 'option', id: `choice-${serial}`, 'aria-selected': 'false' },
    },
    item.emoji ? h('span', { class: 'choice-emoji', text: item.emoji }) : null,
    h(
      'span',
      { class: 'choice-text' },
      h('span', { class: 'choice-label', text: item.label }),
      item.detail ? h('span', { class: 'choice-detail', text: item.detail }) : null,
    ),
  );
}

/**
 * Places a popover at an element: below it, or above where there is more room.
 * @param {HTMLElement} popup
 * @param {HTMLElement} anchor
 */
export function place(popup, anchor) {
  const box = anchor.getBoundingClientRect();
  const below = window.innerHeight - box.bottom - 12;
  const above = box.top - 12;
  const width = Math.min(Math.max(box.width, 240), window.innerWidth - 16);
  const style = popup.style;
  style.setProperty('width', `${width}px`);
  style.setProperty('left', `${Math.max(8, Math.min(box.left, window.innerWidth - width - 8))}px`);
  const up = below < Math.min(popup.scrollHeight, 260) && above > below;
  style.setProperty('max-height', `${Math.min(up ? above : below, 340)}px`);
  style.setProperty('top', up ? 'auto' : `${box.bottom + 4}px`);
  style.setProperty('bottom', up ? `${window.innerHeight - box.top + 4}px` : 'auto');
}

/**
 * Opens a list at an element and resolves with the chosen values, or null when it was left with Esc.
 * With `max` 1 a choice closes it; with more, choices toggle, and leaving it settles them.
 * @param {object} settings
 * @param {HTMLElement} settings.anchor
 * @param {string} settings.label for screen readers
 * @param {Item[]} settings.items
 * @param {number} settings.min
 * @param {number} settings.max
 * @returns {Promise<string[] | null>}
 */
export function chooseFrom({ anchor, label, items, min, max }) {
  const { promise, resolve } = withResolvers(/** @type {string[] | null} */ (null));
  const chosen = new Set(items.filter((item) => item.selected).map((item) => item.value));
  const rows = items.map(row);
  const many = max > 1;
  const list = h(
    'ul',
    {
      class: 'popup choices',
      attrs: {
        role: 'listbox',
        tabindex: -1,
        popover: 'manual',
        'aria-label': label,
        'aria-multiselectable': many ? 'true' : null,
      },
    },
    ...rows,
  );
  // Inside a modal dialog only what belongs to the dialog can be used.
  (anchor.closest('dialog') ?? document.body).append(list);
  let active = Math.max(
    0,
    items.findIndex((item) => item.selected),
  );
  let typed = '';
  let typedAt = 0;
  const refresh = () => {
    rows.forEach((element, index) => {
      setAttribute(
        element,
        'aria-selected',
        chosen.has(items[index]?.value ?? '') ? 'true' : 'false',
      );
      element.classList.toggle('active', index === active);
    });
    setAttribute(list, 'aria-activedescendant', rows[active]?.id);
  };
  const move = (/** @type {number} */ to) => {
    active = Math.max(0, Math.min(rows.length - 1, to));
    refresh();
    rows[active]?.scrollIntoView({ block: 'nearest' });
  };
  let done = false;
  const finish = (/** @type {string[] | null} */ values) => {
    if (done) return;
    done = true;
    document.removeEventListener('pointerdown', outside, true);
    document.removeEventListener('scroll', follow, true);
    window.removeEventListener('resize', follow);
    setAttribute(anchor, 'aria-expanded', 'false');
    const focused = list.contains(document.activeElement);
    list.remove();
    if (focused) anchor.focus();
    resolve(values);
  };
  const settle = () =>
    finish(
      many && chosen.size >= min && chosen.size <= max
        ? items.map((item) => item.value).filter((value) => chosen.has(value))
        : null,
    );
  const outside = (/** @type {Event} */ event) => {
    if (event.target instanceof Node && !list.contains(event.target)) settle();
  };
  // What moves the page, such as a phone's keyboard, moves the list along; it goes with its anchor.
  const follow = (/** @type {Event} */ event) => {
    if (event.target instanceof Node && list.contains(event.target)) return;
    const box = anchor.getBoundingClientRect();
    if (!anchor.isConnected || box.bottom < 0 || box.top > window.innerHeight) settle();
    else place(list, anchor);
  };
  const pick = (/** @type {number} */ index) => {
    const item = items[index];
    if (!item) return;
    active = index;
    if (!many) {
      finish([item.value]);
      return;
    }
    if (chosen.has(item.value)) chosen.delete(item.value);
    else if (chosen.size < max) chosen.add(item.value);
    refresh();
  };
  rows.forEach((element, index) => {
    element.addEventListener('click', () => pick(index));
    element.addEventListener('pointermove', () => {
      if (active !== index) {
        active = index;
        refresh();
      }
    });
  });
  list.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') move(active + 1);
    else if (event.key === 'ArrowUp') move(active - 1);
    else if (event.key === 'Home') move(0);
    else if (event.key === 'End') move(rows.length - 1);
    else if (event.key === 'Escape') finish(null);
    else if (event.key === 'Tab') settle();
    else if (event.key === ' ' || (event.key === 'Enter' && !many)) pick(active);
    else if (event.key === 'Enter') settle();
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      typed = event.timeStamp - typedAt > 700 ? event.key : typed + event.key;
      typedAt = event.timeStamp;
      const found = items.findIndex((item) =>
        item.label.toLowerCase().startsWith(typed.toLowerCase()),
      );
      if (found >= 0) move(found);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  setAttribute(anchor, 'aria-expanded', 'true');
  list.showPopover();
  place(list, anchor);
  document.addEventListener('pointerdown', outside, true);
  document.addEventListener('scroll', follow, true);
  window.addEventListener('resize', follow);
  list.focus();
  move(active);
  return promise;
}

/**
 * Promise.withResolvers, which some browsers of 2023 lack.
 * @template T
 * @param {T} _sample gives the type
 */
export function withResolvers(_sample) {
  /** @type {(value: T) => void} */
  let resolve = () => {};
  /** @type {(reason: unknown) => void} */
  let reject = () => {};
  const promise = /** @type {Promise<T>} */ (
    new Promise((yes, no) => {
      resolve = yes;
      reject = no;
    })
  );
  return { promise, resolve, reject };
}

/** Room above the command box below which a list goes over it instead, in px. */
const LOW = 120;
/** The tallest list above the command box, in px. */
const TALL = 380;

/** A list above a text field, driven by the field's keys. */
export class Suggestions {
  /** @type {Item[]} */
  items = [];
  /** @type {HTMLLIElement[]} */
  #rows = [];
  #active = -1;
  /** @type {(item: Item) => void} */
  #pick = () => {};
  /** @type {HTMLElement | null} */
  #field = null;

  constructor() {
    this.title = h('p', { class: 'popup-title' });
    this.list = h('ul', { class: 'choices', attrs: { role: 'listbox', id: 'suggestions' } });
    this.element = h(
      'div',
      {
        class: 'popup suggestions',
        attrs: { hidden: true },
        // The field keeps the focus.
        on: { pointerdown: (/** @type {Event} */ event) => event.preventDefault() },
      },
      this.title,
      this.list,
    );
    const follow = (/** @type {Event} */ event) => {
      if (event.target !== this.element) this.#place();
    };
    document.addEventListener('scroll', follow, true);
    window.addEventListener('resize', follow);
  }

  /** Above the command box; on a low screen over it, at the field itself. */
  #place() {
    if (!this.open || !this.#field) return;
    const { style } = this.element;
    for (const name of ['width', 'left', 'top', 'bottom', 'max-height']) style.removeProperty(name);
    const room = (this.element.parentElement?.getBoundingClientRect().top ?? 0) - 14;
    const over = room < LOW;
    this.element.classList.toggle('over', over);
    if (over) place(this.element, this.#field);
    else style.setProperty('max-height', `${Math.min(room, TALL)}px`);
  }

  get open() {
    return !this.element.hidden;
  }

  /** The item that Enter or Tab would take. */
  get active() {
    return this.items[this.#active] ?? null;
  }

  /**
   * @param {object} settings
   * @param {HTMLElement} settings.field its combobox role gets the matching attributes
   * @param {string} settings.title
   * @param {Item[]} settings.items
   * @param {(item: Item) => void} settings.pick
   * @param {boolean} [settings.preselect] whether the first one is active from the start
   */
  show({ field, title, items, pick, preselect = true }) {
    if (items.length === 0) {
      this.hide();
      return;
    }
    const same =
      this.open && JSON.stringify(items) === JSON.stringify(this.items) && this.#field === field;
    this.#pick = pick;
    if (same) {
      this.#place();
      return;
    }
    if (this.#field && this.#field !== field) this.#release();
    this.#field = field;
    this.items = items;
    this.title.textContent = title;
    this.title.hidden = title === '';
    this.list.setAttribute('aria-label', title || 'Suggestions');
    this.#rows = items.map(row);
    this.#rows.forEach((element, index) => {
      element.addEventListener('click', () => this.take(index));
      element.addEventListener('pointermove', () => this.#activate(index, false));
    });
    this.list.replaceChildren(...this.#rows);
    this.element.hidden = false;
    this.element.scrollTop = 0;
    this.#place();
    setAttribute(field, 'aria-expanded', 'true');
    setAttribute(field, 'aria-controls', 'suggestions');
    this.#activate(preselect ? 0 : -1);
  }

  hide() {
    this.#release();
    this.element.hidden = true;
    this.items = [];
    this.#active = -1;
  }

  #release() {
    if (!this.#field) return;
    setAttribute(this.#field, 'aria-expanded', 'false');
    setAttribute(this.#field, 'aria-activedescendant', null);
    this.#field = null;
  }

  /**
   * @param {number} index
   * @param {boolean} [scroll]
   */
  #activate(index, scroll = true) {
    this.#active = index;
    this.#rows.forEach((element, at) => {
      element.classList.toggle('active', at === index);
      setAttribute(element, 'aria-selected', at === index ? 'true' : 'false');
    });
    const element = this.#rows[index];
    if (this.#field) setAttribute(this.#field, 'aria-activedescendant', element?.id);
    if (scroll) element?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {number} [index] */
  take(index = this.#active) {
    const item = this.items[index];
    if (item) this.#pick(item);
  }

  /**
   * Arrow keys; true when the key was used up.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (!this.open) return false;
    const count = this.items.length;
    if (event.key === 'ArrowDown') this.#activate((this.#active + 1) % count);
    else if (event.key === 'ArrowUp')
      this.#activate(this.#active <= 0 ? count - 1 : this.#active - 1);
    else if (event.key === 'Escape') this.hide();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
