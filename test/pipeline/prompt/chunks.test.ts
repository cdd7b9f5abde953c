// Chunks of a prompt, with a tokenizer that has one token per word: short enough to count by hand.

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.js';
import { type ChunkTokenizer, chunksOf } from '../../../src/pipeline/prompt/chunks.js';
import { concatenate, emphasise } from '../../../src/pipeline/prompt/emphasis.js';
import { loadTokenizer } from '../../../src/pipeline/tokenizer.js';

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

it('any text is whole chunks of a real tokenizer', async () => {
  const model = fileURLToPath(new URL('../../fixtures/models/tiny-sd', import.meta.url));
  const tokenizer = await loadTokenizer(model, 'tokenizer', 77);
  const piece = fc.constantFrom('(', ')', '[', ':1.2)', ', ', 'fox', 'ü狐🦊', ' BREAK ', '\\(');
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.array(piece, { maxLength: 300 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, (prompt) => {
      try {
        for (const { ids, weights } of chunksOf(prompt, tokenizer)) {
          expect([ids.length, weights.length]).toEqual([77, 77]);
          expect(ids[0]).toBe(tokenizer.bos);
          expect(ids).toContain(tokenizer.eos);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }),
    { numRuns: 100 },
  );
});

describe('emphasis', () => {
  const embedding = { data: Float32Array.of(1, 2, 3, 4, 5, 6), dims: [1, 3, 2] };
  const mean = (data: Float32Array) => data.reduce((sum, value) => sum + value, 0) / data.length;

  it('multiplies each token and keeps the mean of all', () => {
    const { data, dims } = emphasise(embedding, [1, 2, 1]);
    expect(dims).toEqual([1, 3, 2]);
    expect(mean(data)).toBeCloseTo(mean(embedding.data), 6);
    const scale = 21 / 28;
    const expected = [1, 2, 6, 8, 5, 6].map((value) => value * scale);
    for (const [i, value] of data.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
  });

  it('leaves what has no weight to the bit, and survives weights that cancel out', () => {
    expect(emphasise(embedding, [1, 1, 1]).data).toEqual(embedding.data);
    const { data } = emphasise(embedding, [0, 0, 0]);
    expect([...data]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('chunks stand one after the other', () => {
    const both = concatenate([embedding, embedding]);
    expect(both.dims).toEqual([1, 6, 2]);
    expect([...both.data.slice(6)]).toEqual([...embedding.data]);
  });
});
