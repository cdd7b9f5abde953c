// @ts-check
// Discord's markdown, as far as bots use it: text in, a tree out. Nothing here touches the DOM.

/**
 * @typedef {{ type: 'text', text: string }
 *   | { type: 'break' }
 *   | { type: 'strong' | 'em' | 'u' | 's' | 'spoiler' | 'quote' | 'subtext', children: Node[] }
 *   | { type: 'heading', level: 1 | 2 | 3, children: Node[] }
 *   | { type: 'list', ordered: boolean, start: number, items: Node[][] }
 *   | { type: 'code', text: string }
 *   | { type: 'codeblock', text: string, language: string }
 *   | { type: 'link', address: string, children: Node[] }
 *   | { type: 'time', seconds: number, style: string }
 *   | { type: 'user' | 'channel' | 'role', id: string }
 *   | { type: 'command', name: string, id: string }
 *   | { type: 'emoji', name: string, id: string }} Node
 */

const ESCAPABLE = /^\\([\\`*_~|<>#:[\]()!-])/;
const ADDRESS = /^https?:\/\/[^\s<>]+/i;
const NAMED_LINK =
  /^\[((?:\\.|[^[\]\\])+)\]\(\s*<?(https?:\/\/(?:[^\s<>()]|\([^\s<>()]*\))+)>?(?:\s+"[^"]*")?\s*\)/i;
const TIME = /^<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/;
const MENTION = /^<(@[!&]?|#)(\d{1,20})>/;
const COMMAND = /^<\/([^:<>\n]{1,100}):(\d{1,20})>/;
const EMOJI = /^<a?:(\w{2,32}):(\d{1,20})>/;

/** Pairs of marks, longest first, and what they make. @type {[string, 'strong' | 'em' | 'u' | 's' | 'spoiler'][]} */
const PAIRS = [
  ['**', 'strong'],
  ['__', 'u'],
  ['~~', 's'],
  ['||', 'spoiler'],
  ['*', 'em'],
  ['_', 'em'],
];

/**
 * @param {string} source
 * @returns {Node[]}
 */
export function parseMarkdown(source) {
  return blocks(source.replace(/\r\n?/g, '\n'), true);
}

/**
 * Block level: code blocks, quotes, headings, subtext and lists; every other line is inline text.
 * @param {string} source
 * @param {boolean} quotes whether quotes may begin here (they do not nest)
 * @returns {Node[]}
 */
function blocks(source, quotes) {
  /** @type {Node[]} */
  const out = [];
  let rest = source;
  /** @type {string[]} */
  let lines = [];
  const flush = () => {
    if (lines.length > 0) out.push(...inline(lines.join('\n')));
    lines = [];
  };
  while (rest !== '') {
    const fence = /^```(?:([\w+#.-]{0,30})\n)?([\s\S]*?)```\n?/.exec(rest);
    if (fence?.[2]?.trim()) {
      flush();
      out.push({ type: 'codeblock', language: fence[1] ?? '', text: fence[2].replace(/\n$/, '') });
      rest = rest.slice(fence[0].length);
      continue;
    }
    const long = quotes ? /^>>> ?([\s\S]+)/.exec(rest) : null;
    if (long?.[1]) {
      flush();
      out.push({ type: 'quote', children: blocks(long[1], false) });
      break;
    }
    const quote = quotes ? /^(?:> [^\n]*(?:\n|$)|>(?:\n|$))+/.exec(rest) : null;
    if (quote?.[0].trim()) {
      flush();
      const inner = quote[0].replace(/^> ?/gm, '').replace(/\n$/, '');
      out.push({ type: 'quote', children: blocks(inner, false) });
      rest = rest.slice(quote[0].length);
      continue;
    }
    const list = /^(?: *(?:[-*]|\d{1,9}\.) +[^\n]+(?:\n|$))+/.exec(rest);
    if (list) {
      flush();
      out.push(makeList(list[0]));
      rest = rest.slice(list[0].length);
      continue;
    }
    const end = rest.indexOf('\n');
    const line = end < 0 ? rest : rest.slice(0, end);
    const heading = /^(#{1,3}) +(.+)$/.exec(line);
    const small = /^-# +(.+)$/.exec(line);
    if (heading?.[1] && heading[2]) {
      flush();
      const level = /** @type {1 | 2 | 3} */ (heading[1].length);
      out.push({ type: 'heading', level, children: inline(heading[2]) });
      rest = end < 0 ? '' : rest.slice(end + 1);
      continue;
    }
    if (small?.[1]) {
      flush();
      out.push({ type: 'subtext', children: inline(small[1]) });
      rest = end < 0 ? '' : rest.slice(end + 1);
      continue;
    }
    // A mark may span lines and a fence may open in mid-line, so lines are joined before they are read.
    const open = line.indexOf('```');
    if (open > 0 && /^```(?:[\w+#.-]{0,30}\n)?[\s\S]*?```/.test(rest.slice(open))) {
      lines.push(line.slice(0, open));
      rest = rest.slice(open);
    } else {
      lines.push(line);
      rest = end < 0 ? '' : rest.slice(end + 1);
    }
  }
  flush();
  return out;
}

/**
 * @param {string} source lines that all begin with a list mark
 * @returns {Node}
 */
function makeList(source) {
  const lines = source.replace(/\n$/, '').split('\n');
  const first = /^ *(?:[-*]|(\d+)\.)/.exec(lines[0] ?? '');
  return {
    type: 'list',
    ordered: first?.[1] !== undefined,
    start: Number(first?.[1] ?? 1),
    items: lines.map((line) => inline(line.replace(/^ *(?:[-*]|\d+\.) +/, ''))),
  };
}

/**
 * @param {string} source
 * @returns {Node[]}
 */
function inline(source) {
  /** @type {Node[]} */
  const out = [];
  let text = '';
  const push = (/** @type {Node} */ node) => {
    if (text !== '') out.push({ type: 'text', text });
    text = '';
    out.push(node);
  };
  let at = 0;
  while (at < source.length) {
    const rest = source.slice(at);
    const found = special(rest) ?? pair(rest, source[at - 1] ?? '');
    if (found === null) {
      text += source[at];
      at += 1;
    } else {
      if (found.node.type === 'text') text += found.node.text;
      else push(found.node);
      at += found.length;
    }
  }
  if (text !== '') out.push({ type: 'text', text });
  return out;
}

/**
 * Everything but paired marks: escapes, breaks, code, links, timestamps, mentions.
 * @param {string} rest
 * @returns {{ node: Node, length: number } | null}
 */
function special(rest) {
  switch (rest[0]) {
    case '\n':
      return { node: { type: 'break' }, length: 1 };
    case '\\': {
      const match = ESCAPABLE.exec(rest);
      return match?.[1] ? { node: { type: 'text', text: match[1] }, length: 2 } : null;
    }
    case '`': {
      const match = /^(`{1,2})(?!`)([\s\S]*?[^`])\1(?!`)/.exec(rest);
      return match?.[2]
        ? { node: { type: 'code', text: match[2] }, length: match[0].length }
        : null;
    }
    case '[': {
      const match = NAMED_LINK.exec(rest);
      return match?.[1] && match[2]
        ? {
            node: { type: 'link', address: match[2], children: inline(match[1]) },
            length: match[0].length,
          }
        : null;
    }
    case 'h':
    case 'H': {
      const match = ADDRESS.exec(rest);
      if (!match) return null;
      const address = trimAddress(match[0]);
      return {
        node: { type: 'link', address, children: [{ type: 'text', text: address }] },
        length: address.length,
      };
    }
    case '<':
      return angle(rest);
    default:
      return null;
  }
}

/**
 * @param {string} rest begins with <
 * @returns {{ node: Node, length: number } | null}
 */
function angle(rest) {
  const time = TIME.exec(rest);
  if (time?.[1]) {
    const node = /** @type {const} */ ({
      type: 'time',
      seconds: Number(time[1]),
      style: time[2] ?? 'f',
    });
    return { node, length: time[0].length };
  }
  const mention = MENTION.exec(rest);
  if (mention?.[1] && mention[2]) {
    const type = mention[1] === '#' ? 'channel' : mention[1] === '@&' ? 'role' : 'user';
    return { node: { type, id: mention[2] }, length: mention[0].length };
  }
  const command = COMMAND.exec(rest);
  if (command?.[1] && command[2]) {
    return {
      node: { type: 'command', name: command[1], id: command[2] },
      length: command[0].length,
    };
  }
  const emoji = EMOJI.exec(rest);
  if (emoji?.[1] && emoji[2]) {
    return { node: { type: 'emoji', name: emoji[1], id: emoji[2] }, length: emoji[0].length };
  }
  const address = /^<(https?:\/\/[^\s<>]+)>/i.exec(rest);
  if (address?.[1]) {
    const text = address[1];
    return {
      node: { type: 'link', address: text, children: [{ type: 'text', text }] },
      length: address[0].length,
    };
  }
  return null;
}

/** Sentence punctuation and an unopened bracket at the end do not belong to an address. @param {string} address */
function trimAddress(address) {
  let text = address.replace(/[.,:;!?'"*_~|]+$/, '');
  while (text.endsWith(')') && text.split(')').length > text.split('(').length)
    text = text.slice(0, -1);
  return text;
}

/**
 * @param {string} rest
 * @param {string} before the character in front of it
 * @returns {{ node: Node, length: number } | null}
 */
function pair(rest, before) {
  for (const [mark, type] of PAIRS) {
    if (!rest.startsWith(mark)) continue;
    // snake_case and 2 * 3 * 4 are not emphasis.
    if (mark === '_' && /\w/.test(before)) continue;
    if ((mark === '*' || mark === '_') && /\s/.test(rest[1] ?? ' ')) continue;
    const close = closing(rest, mark);
    if (close > mark.length) {
      const children = inline(rest.slice(mark.length, close));
      return { node: { type, children }, length: close + mark.length };
    }
  }
  return null;
}

/**
 * Where the closing mark stands, or -1. Code and escapes inside are skipped; a single mark does not
 * close on a double one.
 * @param {string} rest
 * @param {string} mark
 */
function closing(rest, mark) {
  let at = mark.length;
  while (at < rest.length) {
    const character = rest[at];
    if (character === '\\') {
      at += 2;
      continue;
    }
    if (character === '`') {
      const code = special(rest.slice(at));
      at += code?.length ?? 1;
      continue;
    }
    if (rest.startsWith(mark, at)) {
      if (mark.length === 2) return rest[at + 2] === mark[0] && mark !== '||' ? at + 1 : at;
      const doubled = rest[at + 1] === mark;
      const word = mark === '_' && /\w/.test(rest[at + 1] ?? '');
      if (!doubled && !word && !/\s/.test(rest[at - 1] ?? '')) return at;
      at += doubled ? 2 : 1;
      continue;
    }
    at += 1;
  }
  return -1;
}

/**
 * The bare words of a text, for screen readers and previews.
 * @param {string} source
 */
export function plainText(source) {
  /** @param {Node[]} nodes @returns {string} */
  const words = (nodes) =>
    nodes
      .map((node) => {
        switch (node.type) {
          case 'text':
          case 'code':
            return node.text;
          case 'break':
            return ' ';
          case 'spoiler':
            return '(hidden)';
          case 'command':
            return `/${node.name}`;
          // What stands in lines of its own must not grow together with what is around it.
          case 'codeblock':
            return ` ${node.text} `;
          case 'list':
            return ` ${node.items.map(words).join(', ')} `;
          case 'heading':
          case 'quote':
          case 'subtext':
            return ` ${words(node.children)} `;
          default:
            return 'children' in node ? words(node.children) : '';
        }
      })
      .join('');
  return words(parseMarkdown(source)).replace(/\s+/g, ' ').trim();
}
