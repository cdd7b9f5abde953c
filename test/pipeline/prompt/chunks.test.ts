// Chunks of a prompt, with a tokenizer that has one token per word: short enough to count by hand.

import { describe, expect, it } from 'vitest';
import { type ChunkTokenizer, chunksOf, emptyChunk } from '../../../src/pipeline/prompt/chunks.js';

const BOS = 1000;
const EOS = 1001;
const COMMA = 999;
/** "w7" is token 7, a comma is a token of its own; "end" is the end token */
const TOKENIZER: ChunkTokenizer = {
  length: 77,
  bos: BOS,
  eos: EOS,
  pad: EOS,
  pieces: (text) =>
    [...text.matchAll(/w(\d+)|,|end/g)].map(([word, number]) =>
      word === ',' ? COMMA : word === 'end' ? EOS : Number(number),
    ),
};
const words = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `w${from + i}`).join(' ');
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const ids = (prompt: string, tokenizer = TOKENIZER) =>
  chunksOf(prompt, tokenizer).map((chunk) => chunk.ids);

describe('chunks', () => {
  it('an empty prompt is one chunk of start and end', () => {
    expect(ids('')).toEqual([[BOS, ...Array(76).fill(EOS)]]);
    expect(chunksOf('', TOKENIZER)).toEqual([emptyChunk(TOKENIZER)]);
  });

  it('75 words are one chunk, 76 are two, each with start and end', () => {
    expect(ids(words(0, 75))).toEqual([[BOS, ...numbers(0, 75), EOS]]);
    expect(ids(words(0, 76))).toEqual([
      [BOS, ...numbers(0, 75), EOS],
      [BOS, 75, ...Array(75).fill(EOS)],
    ]);
    expect(ids(words(0, 300))).toHaveLength(4);
  });

  it('what follows a comma near the end moves into the next chunk', () => {
    const prompt = `${words(0, 60)}, ${words(60, 80)}`;
    expect(ids(prompt)).toEqual([
      [BOS, ...numbers(0, 60), COMMA, ...Array(15).fill(EOS)],
      [BOS, ...numbers(60, 80), ...Array(56).fill(EOS)],
    ]);
    // A comma farther back than 20 tokens holds nothing together.
    expect(ids(`${words(0, 54)}, ${words(54, 80)}`)[0]).toEqual([
      BOS,
      ...numbers(0, 54),
      COMMA,
      ...numbers(54, 74),
      EOS,
    ]);
  });

  it('BREAK ends a chunk at once; weights stay with their words', () => {
    const [first, second] = chunksOf('w1 (w2:1.5) BREAK [w3]', TOKENIZER);
    expect(first!.ids.slice(0, 4)).toEqual([BOS, 1, 2, EOS]);
    expect(first!.weights.slice(0, 4)).toEqual([1, 1, 1.5, 1]);
    expect(second!.ids.slice(0, 3)).toEqual([BOS, 3, EOS]);
    expect(second!.weights.slice(0, 3)).toEqual([1, 1 / 1.1, 1]);
    for (const { ids, weights } of [first!, second!]) {
      expect([ids.length, weights.length]).toEqual([77, 77]);
    }
  });

  it('weights move with their words over a comma', () => {
    const [, second] = chunksOf(`${words(0, 70)}, (${words(70, 90)}:1.4)`, TOKENIZER);
    expect(second!.weights.slice(0, 22)).toEqual([1, ...Array(20).fill(1.4), 1]);
  });

  it('pads with another token where the model has one, from the first end on', () => {
    const padded = { ...TOKENIZER, pad: 0 };
    expect(ids('w1', padded)).toEqual([[BOS, 1, EOS, ...Array(74).fill(0)]]);
    expect(ids('w1 end w2', padded)).toEqual([[BOS, 1, EOS, ...Array(74).fill(0)]]);
  });
});
