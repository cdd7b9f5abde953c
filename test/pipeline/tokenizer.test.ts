// Prompts become the token ids that transformers' CLIPTokenizer gives.

import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/pipeline/tokenizer.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const TOKENS = JSON.parse(
  await readFile(join(FIXTURES, 'expected/tokens.json'), 'utf8'),
) as readonly { prompt: string; ids: number[] }[];

let older: string;
beforeAll(async () => {
  older = await mkdtemp(join(tmpdir(), 'ylem-'));
  await cp(join(FIXTURES, 'models/tiny-sd-variants/tokenizer'), join(older, 'tokenizer'), {
    recursive: true,
  });
});
afterAll(() => rm(older, { recursive: true }));

describe.each(['tokenizer.json', 'vocab.json and merges.txt'])('from %s', (kind) => {
  it.each(TOKENS)('$prompt', async ({ prompt, ids }) => {
    const root = kind === 'tokenizer.json' ? join(FIXTURES, 'models/tiny-sd') : older;
    const tokenizer = await loadTokenizer(root, 'tokenizer', 77);
    expect(tokenizer.encode(prompt)).toEqual(ids);
  });
});
