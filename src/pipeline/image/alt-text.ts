// What someone who cannot see the picture is told of it.

import type { GenerationParameters } from '../types.js';

/** Discord takes at most this many characters. */
const LENGTH = 1024;

export function altText(parameters: GenerationParameters): string {
  const { prompt, width, height, seed } = parameters;
  const facts = ` (${width}x${height}, seed ${seed})`;
  const what =
    prompt.trim() === ''
      ? 'A picture painted without a prompt'
      : `A picture painted from the prompt: ${prompt.trim()}`;
  const room = LENGTH - facts.length;
  return (what.length <= room ? what : `${what.slice(0, room - 1)}…`) + facts;
}
