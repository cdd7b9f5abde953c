// @ts-check
// Builds DOM elements. Text always enters as text nodes, never as markup, and addresses are checked
// here: these few functions are the page's whole defence against what users and bots write.

/** @typedef {Node | string | null | undefined | false} Child */
/**
 * @typedef {object} Props
 * @property {string} [class]
 * @property {string} [text] text content, as a text node
 * @property {Record<string, string>} [data] data-* attributes
 * @property {Record<string, (event: any) => void>} [on] event listeners by name
 * @property {Record<string, string | number | boolean | null | undefined>} [attrs] attributes; true is the
 *   empty string, false, null and undefined leave it out
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  if (props.class) element.className = props.class;
  if (props.text !== undefined) element.append(props.text);
  for (const [name, value] of Object.entries(props.data ?? {})) element.dataset[name] = value;
  for (const [name, value] of Object.entries(props.attrs ?? {})) setAttribute(element, name, value);
  for (const [name, listener] of Object.entries(props.on ?? {})) {
    element.addEventListener(name, listener);
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== (value === true ? '' : String(value))) {
    element.setAttribute(name, value === true ? '' : String(value));
  }
}

/**
 * @param {Node} parent
 * @param {Child[]} children
 */
export function append(parent, children) {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
    }
  }
}

/**
 * The address when it is http(s) or on this very server, else null: `javascript:` and its kin never
 * reach an href.
 * @param {string | null | undefined} address
 * @returns {string | null}
 */
export function safeAddress(address) {
  if (!address) return null;
  try {
    const url = new URL(address, location.href);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * A link that opens in a new tab and tells the other side nothing; plain text for any address that is
 * not http(s).
 * @param {string} address
 * @param {Props} props
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function link(address, props, ...children) {
  const href = safeAddress(address);
  if (href === null) return h('span', props, ...children);
  return h(
    'a',
    { ...props, attrs: { ...props.attrs, href, target: '_blank', rel: 'noopener noreferrer' } },
    ...children,
  );
}

/**
 * A view shows one piece of data of one kind and can show a newer version of it in place.
 * @template T
 * @typedef {object} View
 * @property {string} kind
 * @property {HTMLElement} element
 * @property {(data: T) => void} update
 * @property {() => void} [dispose]
 */

/**
 * Brings the children of an element in line with a list, position by position. What keeps its kind is
 * updated in place, so that pictures do not flicker and the keyboard's focus stays where it is.
 * @template T
 */
export class Children {
  /** @type {View<T>[]} */
  views = [];

  /**
   * @param {HTMLElement} element
   * @param {(data: T) => string} kindOf
   * @param {(data: T) => View<T>} create shows the data at once
   */
  constructor(element, kindOf, create) {
    this.element = element;
    this.kindOf = kindOf;
    this.create = create;
  }

  /** @param {readonly T[]} list */
  update(list) {
    list.forEach((data, index) => {
      const view = this.views[index];
      if (view?.kind === this.kindOf(data)) {
        view.update(data);
        return;
      }
      const fresh = this.create(data);
      if (view) {
        view.element.replaceWith(fresh.element);
        view.dispose?.();
      } else {
        this.element.append(fresh.element);
      }
      this.views[index] = fresh;
    });
    for (const view of this.views.splice(list.length)) {
      view.element.remove();
      view.dispose?.();
    }
    this.element.hidden = list.length === 0;
  }
}

/**
 * Calls the function only when its data differ from the last time.
 * @template T
 * @param {(data: T) => void} apply
 * @returns {(data: T) => void}
 */
export function whenChanged(apply) {
  /** @type {string | undefined} */
  let last;
  return (data) => {
    const now = JSON.stringify(data) ?? '';
    if (now === last) return;
    last = now;
    apply(data);
  };
}

const icons = {
  hash: 'M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16',
  close: 'M6 6l12 12M18 6 6 18',
  plus: 'M12 5v14M5 12h14',
  down: 'M6 9l6 6 6-6',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  play: 'M8 5.5v13l10.5-6.5z',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  open: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
  send: 'M4 12l16-8-6 16-3-7-7-1z',
  file: 'M7 3h7l5 5v13H7zM14 3v5h5',
  clip: 'M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.5 3.5 0 0 1 5 5l-8.5 8.5a2 2 0 0 1-3-3L14 7',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z',
  eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6',
  check: 'M5 12l5 5L19 7',
  reply: 'M4 19v-6a4 4 0 0 1 4-4h12',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  alert: 'M12 4 2.5 20h19zM12 10v4.5M12 17.4v.2',
};

/**
 * A drawn icon of 24 x 24 units, hidden from screen readers.
 * @param {keyof typeof icons} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', icons[name]);
  svg.append(path);
  return svg;
}
