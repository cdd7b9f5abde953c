// A prompt of any length as chunks that a text encoder can read, each with its own start and end.
//
// Source of the rules: AUTOMATIC1111 modules/sd_hijack_clip.py with its default settings.

import { BREAK, parseAttention } from './attention.js';

/** What of a tokenizer is needed here. */
export interface ChunkTokenizer {
  /** ids that a chunk has in all, start and end among them, such as 77 */
  readonly length: number;
  /** absent where chunks have no start */
  readonly bos: number | undefined;
  readonly eos: number;
  /** what follows the first end-of-text token: CLIP's own end token, or 0 in Stable Diffusion 2 */
  readonly pad: number;
  /** the ids of a text, without start and end, of any length */
  pieces(text: string): readonly number[];
}

/** One call of the text encoder: `length` ids and the weight of each output. */
export interface Chunk {
  readonly ids: readonly number[];
  readonly weights: readonly number[];
}

/** How many tokens after the last comma move into the next chunk with what follows (A1111's default). */
const BACKTRACK = 20;

/**
 * The chunks of a prompt, at least one. A chunk ends where it is full, at BREAK, or after a comma
 * when one stands within the last 20 tokens: the words after it stay together.
 * @throws UserError 'bad-weight'
 */
export function chunksOf(prompt: string, tokenizer: ChunkTokenizer): Chunk[] {
  const room = tokenizer.length - (tokenizer.bos === undefined ? 1 : 2);
  const comma = tokenizer.pieces(',')[0];
  const chunks: Chunk[] = [];
  let ids: number[] = [];
  let weights: number[] = [];
  let lastComma = -1;
  const close = () => {
    chunks.push(framed(ids, weights, tokenizer));
    ids = [];
    weights = [];
    lastComma = -1;
  };
  for (const span of parseAttention(prompt)) {
    if (span === BREAK) {
      close();
      continue;
    }
    for (const id of tokenizer.pieces(span.text)) {
      if (id === comma) lastComma = ids.length;
      else if (ids.length === room && lastComma >= 0 && room - lastComma <= BACKTRACK) {
        const movedIds = ids.splice(lastComma + 1);
        const movedWeights = weights.splice(lastComma + 1);
        close();
        ids = movedIds;
        weights = movedWeights;
      }
      if (ids.length === room) close();
      ids.push(id);
      weights.push(span.weight);
    }
  }
  if (ids.length > 0 || chunks.length === 0) close();
  return chunks;
}

function framed(ids: readonly number[], weights: readonly number[], t: ChunkTokenizer): Chunk {
  // A prompt may spell the end token itself: padding begins after the first one, as A1111 has it.
  const start = t.bos === undefined ? [] : [t.bos];
  const all = [...start, ...ids, t.eos];
  while (all.length < t.length) all.push(t.eos);
  if (t.pad !== t.eos) all.fill(t.pad, all.indexOf(t.eos) + 1);
  const counted = [...start.map(() => 1), ...weights];
  while (counted.length < t.length) counted.push(1);
  return { ids: all, weights: counted };
}
