// How a prompt is shown: it must not ping, link, hide, format or reorder anything around it. The
// prompt itself is never changed.

import { escapeMarkdown } from 'discord.js';

/** Invisible and direction-changing characters; the joiners inside emoji and scripts stay. */
const INVISIBLE =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: each is meant by itself
  /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\u{e0000}-\u{e007f}]/gu;
/** More than three combining marks on one character pile up over the lines around. */
const PILED = /(\p{M}{3})\p{M}+/gu;
/** Breaks up what Discord would turn into a link, a mention or an emoji. */
const BREAK = '\u200b';

/** One line of plain text: for choices and labels, where Discord reads no Markdown. */
export function plain(text: string, length: number): string {
  const flat = text
    .slice(0, length * 10) // what is shown cannot lie behind this, and the rest is long
    .replace(/\p{Surrogate}/gu, '') // halves of characters
    .replace(INVISIBLE, '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .replace(PILED, '$1')
    .replace(/ {2,}/g, ' ')
    .trim();
  return cut(flat, length);
}

/**
 * One line of Markdown that shows `text` as it was typed, cut to about `length` characters.
 * @param length of the text before escaping, in characters
 */
export function display(text: string, length = 300): string {
  return escapeMarkdown(plain(text, length), {
    heading: true,
    bulletedList: true,
    numberedList: true,
    maskedLink: true,
  })
    .replace(/^>/, '\\>')
    .replace(/^-#/, '\\-#')
    .replace(/</g, '\\<')
    .replace(/@/g, `@${BREAK}`)
    .replace(/:\/\//g, `:${BREAK}//`)
    .replace(/discord\.(gg|com)/gi, `discord${BREAK}.$1`);
}

/** The first `length` characters (never half of one), with an ellipsis where something is missing. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const characters = Array.from(
    new Intl.Segmenter().segment(text.slice(0, length * 2)),
    (s) => s.segment,
  );
  let kept = '';
  for (const character of characters) {
    if (kept.length + character.length > length - 1) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

/** A bar of `width` cells, filled as far as index is of total. */
export function progressBar(index: number, total: number, width = 16): string {
  const full = total > 0 ? Math.round((Math.min(index, total) / total) * width) : 0;
  return '█'.repeat(full) + '░'.repeat(width - full);
}
