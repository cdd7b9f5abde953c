// What someone who cannot see the picture is told of it.

import type { Texts } from './texts/index.js';

/** Discord takes at most this many characters. */
const LENGTH = 1024;

/** At most 1024 characters; a prompt too long for that is cut, and what stands behind it is not. */
export function altText(
  picture: {
    readonly prompt: string;
    readonly width: number;
    readonly height: number;
    readonly seed: number;
  },
  texts: Texts,
): string {
  const { prompt, width, height, seed } = picture;
  const facts = ` (${texts.sizeAndSeed(width, height, seed)})`;
  return cut(texts.painted(prompt.trim()), LENGTH - facts.length) + facts;
}

/** Never between the two halves of a character. */
function cut(text: string, room: number): string {
  if (text.length <= room) return text;
  return `${text
    .slice(0, room - 1)
    .replace(/[\ud800-\udbff]$/, '')
    .trimEnd()}…`;
}
