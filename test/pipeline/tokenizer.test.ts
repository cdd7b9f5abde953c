// Prompts become the token ids that transformers' tokenizers give.

import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
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

describe('as transformers tokenizes', () => {
  const rows = JSON.parse(
    readFileSync(join(FIXTURES, 'tokenizers/ids.json'), 'utf8'),
  ) as readonly Record<'spiece' | 'tokenizer' | 'tokenizer_2', number[]>[] &
    readonly { prompt: string }[];

  it.each([
    ['spiece', 'tokenizers', "T5's with SentencePiece's own file alone"],
    ['tokenizer', 'families/sdxl', "CLIP's"],
    [
      'tokenizer_2',
      'families/sdxl',
      "CLIP's from the older files, padded with a token that prompts have",
    ],
  ] as const)('%s of %s: %s', async (part, root, _) => {
    const length = part === 'spiece' ? 48 : undefined;
    const tokenizer = await loadTokenizer(join(FIXTURES, root), part, length ?? 77, length);
    for (const row of rows)
      expect([row.prompt, tokenizer.encode(row.prompt)]).toEqual([row.prompt, row[part]]);
  });

  it("refuses what is no SentencePiece model with the file's name", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
    try {
      const whole = readFileSync(join(FIXTURES, 'tokenizers/spiece/spiece.model'));
      for (const bytes of [Buffer.from('no model'), Buffer.alloc(0), whole.subarray(0, 700)]) {
        await writeFile(join(folder, 'spiece.model'), bytes);
        const failure = await loadTokenizer(join(folder, '..'), basename(folder), 77).catch(
          (error: unknown) => error,
        );
        expect(failure).toBeInstanceOf(UserError);
        expect((failure as UserError).message).toContain('spiece.model');
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
