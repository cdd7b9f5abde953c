// Which of a prompt's tokens a text encoder is shown that was trained with padding masked.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FamilySource } from '../../../src/pipeline/families/family.js';
import { PromptEncoder } from '../../../src/pipeline/families/prompt.js';
import type { Graph } from '../../../src/pipeline/session.js';
import { SmallGraph } from '../../support/onnx.js';

const TOKENIZERS = fileURLToPath(new URL('../../fixtures/families/sdxl', import.meta.url));

let root: string;
const opened: Graph[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ylem-'));
});
afterEach(async () => {
  for (const graph of opened.splice(0)) await graph.release();
  await rm(root, { recursive: true });
});

/** An encoder whose states are its attention mask. */
async function encoderOf(tokenizer: string, masked: boolean, settings: object = {}) {
  await cp(join(TOKENIZERS, tokenizer), join(root, 'tokenizer'), { recursive: true });
  const path = join(root, 'tokenizer/tokenizer_config.json');
  const own = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...own, ...settings }));
  await mkdir(join(root, 'text_encoder'));
  await writeFile(
    join(root, 'text_encoder/config.json'),
    JSON.stringify({ use_attention_mask: masked }),
  );
  const graph = new SmallGraph();
  graph.input('input_ids', 'int64', ['batch', 's']);
  const mask = graph.input('attention_mask', 'int64', ['batch', 's']);
  const floats = graph.node('Cast', [mask], { to: 1 });
  const states = graph.node('Unsqueeze', [floats, graph.constant('int64', [1], [2])]);
  graph.output('last_hidden_state', states, 'float32', ['batch', 's', 1]);
  await graph.save(join(root, 'text_encoder/model.onnx'));
  const session = { provider: 'cpu', threads: 1 };
  const source = { root, session, opened } as unknown as FamilySource;
  return PromptEncoder.load(source, 'text_encoder', 'tokenizer', { layer: 'last' });
}

const shown = async (encoder: PromptEncoder, prompt: string, weighting = false) =>
  (await encoder.encode(prompt, { weighting })).hidden.data;

const ones = (count: number) => [...Array(count).fill(1), ...Array(77 - count).fill(0)];

// transformers' attention_mask of the prompt
it.each([
  ['tokenizer', 'padded with the end token'],
  ['tokenizer_2', 'padded with a token that prompts have'],
])('all but the padding, also behind an end token that the prompt has: %s, %s', async (part) => {
  const encoder = await encoderOf(part, true);
  expect(Array.from(await shown(encoder, ''))).toEqual(ones(2));
  expect(Array.from(await shown(encoder, 'a red fox'))).toEqual(ones(5));
  expect(Array.from(await shown(encoder, 'a red <|endoftext|> fox !'))).toEqual(ones(7));
  expect(Array.from(await shown(encoder, 'fox <|endoftext|> <|endoftext|>'))).toEqual(ones(5));
  expect(Array.from(await shown(encoder, 'fox '.repeat(90)))).toEqual(ones(77));
});

it('behind the padding where that is on the left', async () => {
  const encoder = await encoderOf('tokenizer', true, { padding_side: 'left' });
  expect(Array.from(await shown(encoder, 'a red fox'))).toEqual(ones(5).reverse());
});

it('with weights, all of a chunk but its padding', async () => {
  const encoder = await encoderOf('tokenizer_2', true);
  expect(Array.from(await shown(encoder, 'a red fox !', true))).toEqual(ones(6));
});

it('everything where the encoder was not trained so', async () => {
  const encoder = await encoderOf('tokenizer', false);
  expect(Array.from(await shown(encoder, 'a red fox'))).toEqual(ones(77));
});
