// @ts-check
// Shows markdown, times and sizes as DOM nodes.
import { h, link } from './dom.js';
import { parseMarkdown } from './markdown.js';

/** @typedef {import('./types.js').Surroundings} Surroundings */

/**
 * @param {string} source
 * @param {Surroundings} around
 * @returns {DocumentFragment}
 */
export function markdown(source, around) {
  const fragment = document.createDocumentFragment();
  render(parseMarkdown(source), fragment, around);
  return fragment;
}

/**
 * @param {import('./markdown.js').Node[]} nodes
 * @param {Node} parent
 * @param {Surroundings} around
 */
function render(nodes, parent, around) {
  /**
   * @template {HTMLElement} E
   * @param {E} element
   * @param {import('./markdown.js').Node[]} children
   */
  const add = (element, children) => {
    render(children, element, around);
    parent.appendChild(element);
  };
  for (const node of nodes) {
    switch (node.type) {
      case 'text':
        parent.appendChild(document.createTextNode(node.text));
        break;
      case 'break':
        parent.appendChild(h('br'));
        break;
      case 'strong':
      case 'em':
      case 'u':
      case 's':
        add(h(node.type), node.children);
        break;
      case 'quote':
        add(h('blockquote'), node.children);
        break;
      case 'subtext':
        add(h('small', { class: 'subtext' }), node.children);
        break;
      case 'heading':
        add(
          h('p', {
            class: `heading level-${node.level}`,
            attrs: { role: 'heading', 'aria-level': node.level + 2 },
          }),
          node.children,
        );
        break;
      case 'list': {
        const list = h(node.ordered ? 'ol' : 'ul', {
          attrs: { start: node.ordered ? node.start : null },
        });
        for (const item of node.items) {
          const row = h('li');
          render(item, row, around);
          list.append(row);
        }
        parent.appendChild(list);
        break;
      }
      case 'code':
        parent.appendChild(h('code', { text: node.text }));
        break;
      case 'codeblock':
        parent.appendChild(h('pre', { attrs: { tabindex: 0 } }, h('code', { text: node.text })));
        break;
      case 'link': {
        const element = messageLink(node.address, around) ?? link(node.address, {});
        render(node.children, element, around);
        parent.appendChild(element);
        break;
      }
      case 'time':
        parent.appendChild(timestamp(node.seconds, node.style));
        break;
      case 'user': {
        const user = around.user(node.id);
        parent.appendChild(
          h('span', { class: 'mention', text: `@${user ? displayName(user) : 'someone'}` }),
        );
        break;
      }
      case 'channel':
        parent.appendChild(h('span', { class: 'mention', text: `#${around.channel().name}` }));
        break;
      case 'role':
        parent.appendChild(h('span', { class: 'mention', text: '@role' }));
        break;
      case 'command': {
        const line = `/${node.name} `;
        parent.appendChild(
          h('button', {
            class: 'mention',
            text: `/${node.name}`,
            attrs: { type: 'button' },
            on: { click: () => around.putCommand(line) },
          }),
        );
        break;
      }
      case 'emoji':
        parent.appendChild(document.createTextNode(`:${node.name}:`));
        break;
      case 'spoiler': {
        const inner = h('span', { class: 'spoiler-text' });
        render(node.children, inner, around);
        parent.appendChild(spoiler(inner));
        break;
      }
    }
  }
}

/**
 * A link to a message of this channel, which leads there instead of out of the page.
 * @param {string} address
 * @param {Surroundings} around
 * @returns {HTMLElement | null} null for any other address
 */
function messageLink(address, around) {
  const [, channel, id] =
    /^https:\/\/discord\.com\/channels\/(?:\d+|@me)\/(\d+)\/(\d+)$/.exec(address) ?? [];
  if (id === undefined || channel !== around.channel().id) return null;
  return h('a', {
    attrs: { href: `#${id}` },
    on: {
      click: (event) => {
        event.preventDefault();
        around.goTo(id);
      },
    },
  });
}

/**
 * Hidden until it is clicked; screen readers are told so and do not read it before.
 * @param {HTMLElement} inner
 */
function spoiler(inner) {
  inner.setAttribute('aria-hidden', 'true');
  const shell = h(
    'span',
    {
      class: 'spoiler',
      attrs: { role: 'button', tabindex: 0, 'aria-label': 'Spoiler, press to show' },
      on: {
        click: () => reveal(),
        keydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key === 'Enter' || event.key === ' ') {
            event.preventDefault();
            reveal();
          }
        },
      },
    },
    inner,
  );
  const reveal = () => {
    shell.classList.add('shown');
    for (const name of ['role', 'tabindex', 'aria-label']) shell.removeAttribute(name);
    inner.removeAttribute('aria-hidden');
  };
  return shell;
}

/** @param {import('./types.js').User} user */
export function displayName(user) {
  return user.global_name || user.username;
}

/** Date and time formats by Discord's letter. @type {Record<string, Intl.DateTimeFormatOptions>} */
const STYLES = {
  t: { timeStyle: 'short' },
  T: { timeStyle: 'medium' },
  d: { dateStyle: 'short' },
  D: { dateStyle: 'long' },
  f: { dateStyle: 'long', timeStyle: 'short' },
  F: { dateStyle: 'full', timeStyle: 'short' },
  s: { dateStyle: 'short', timeStyle: 'short' },
  S: { dateStyle: 'short', timeStyle: 'medium' },
};

/**
 * @param {number} seconds since 1970
 * @param {string} style Discord's letter; R is relative and kept current by keepTimesCurrent
 */
function timestamp(seconds, style) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return h('span', { text: `<t:${seconds}>` });
  const full = new Intl.DateTimeFormat(undefined, STYLES.F).format(date);
  const text =
    style === 'R'
      ? relative(date)
      : new Intl.DateTimeFormat(undefined, STYLES[style] ?? STYLES.f).format(date);
  return h('time', {
    text,
    class: 'stamp',
    data: style === 'R' ? { relative: '' } : {},
    attrs: { datetime: date.toISOString(), title: full },
  });
}

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** @param {Date} date */
function relative(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(
    Math.trunc(seconds / length),
    unit,
  );
}

/** Rewrites relative times once a second; returns how to end that. */
export function keepTimesCurrent() {
  const timer = setInterval(() => {
    for (const element of document.querySelectorAll('time[data-relative]')) {
      const text = relative(new Date(element.getAttribute('datetime') ?? ''));
      if (element.textContent !== text) element.textContent = text;
    }
  }, 1000);
  return () => clearInterval(timer);
}

/**
 * The time of a message: the hour today, with the date on other days.
 * @param {string} iso
 */
export function messageTime(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  const text = new Intl.DateTimeFormat(undefined, today ? STYLES.t : STYLES.s).format(date);
  const title = new Intl.DateTimeFormat(undefined, STYLES.F).format(date);
  return h('time', { class: 'time', text, attrs: { datetime: iso, title } });
}

/** @param {number} bytes */
export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(0)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** @param {import('./types.js').Emoji | undefined} emoji */
export function emojiText(emoji) {
  if (!emoji?.name) return '';
  return emoji.id ? `:${emoji.name}:` : emoji.name;
}

/**
 * A round avatar drawn in CSS: the first letter on a hue that follows from the id; bots get a nebula.
 * @param {import('./types.js').User} user
 */
export function avatar(user) {
  // FNV-1a, then steps of the golden angle, so that neighbouring ids get hues far apart.
  let hash = 0x811c9dc5;
  for (const character of user.id)
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  const hue = Math.round((hash % 1000) * 137.508) % 360;
  const element = h('span', {
    class: user.bot ? 'avatar bot' : 'avatar',
    attrs: { 'aria-hidden': 'true' },
    text: user.bot ? '' : ([...displayName(user)][0] ?? '?').toUpperCase(),
  });
  element.style.setProperty('--hue', String(hue));
  return element;
}
