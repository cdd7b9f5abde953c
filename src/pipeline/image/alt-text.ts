// What someone who cannot see the picture is told of it.

import type { GenerationParameters } from '../types.js';

/** Discord takes at most this many characters. */
const LENGTH = 1024;

/** At most 1024 characters; a prompt too long for that is cut, and what stands behind it is not. */
export function altText(parameters: GenerationParameters): string {
  const { prompt, width, height, seed } = parameters;
  const facts = ` (${width}x${height}, seed ${seed})`;
  const what =
    prompt.trim() === ''
      ? 'A picture painted without a prompt'
      : `A picture painted from the prompt: ${prompt.trim()}`;
  return cut(what, LENGTH - facts.length) + facts;
}

/** Never between the two halves of a character. */
function cut(text: string, room: number): string {
  if (text.length <= room) return text;
  return `${text
    .slice(0, room - 1)
    .replace(/[\ud800-\udbff]$/, '')
    .trimEnd()}…`;
}
