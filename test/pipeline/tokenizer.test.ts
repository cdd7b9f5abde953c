// Prompts become the token ids that transformers' tokenizers give.

import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { chunksOf } from '../../src/pipeline/prompt/chunks.js';
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
    expect(tokenizer.encode(prompt).ids).toEqual(ids);
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
      expect([row.prompt, tokenizer.encode(row.prompt).ids]).toEqual([row.prompt, row[part]]);
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

describe('with added tokens', () => {
  const { files, prompts, cases } = JSON.parse(
    readFileSync(join(FIXTURES, 'tokenizers/added.json'), 'utf8'),
  ) as {
    readonly files: Record<string, Record<string, object>>;
    readonly prompts: readonly string[];
    readonly cases: readonly {
      readonly layout: keyof typeof LAYOUTS;
      readonly name: string;
      readonly pad: number;
      readonly ids: readonly number[][];
      /** the first prompt's where each token is one vector */
      readonly plain: readonly number[];
    }[];
  };
  const LAYOUTS = {
    'tokenizer.json': 'models/tiny-sd/tokenizer',
    'vocab.json': 'models/tiny-sd-variants/tokenizer',
    'spiece.model': 'tokenizers/spiece',
  };

  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ylem-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** A layout's own tokenizer with these files beside its own, or their values in its own. */
  async function prepare(layout: keyof typeof LAYOUTS, added: Record<string, unknown>) {
    const folder = join(root, 'tokenizer');
    await cp(join(FIXTURES, LAYOUTS[layout]), folder, { recursive: true });
    for (const [name, content] of Object.entries(added)) {
      const own = await readFile(join(folder, name), 'utf8').catch(() => '{}');
      const whole = Array.isArray(content)
        ? content
        : { ...JSON.parse(own), ...(content as object) };
      await writeFile(join(folder, name), JSON.stringify(whole));
    }
  }

  it.each(cases)("$name beside $layout: diffusers' ids", async ({ layout, name, pad, ids }) => {
    await prepare(layout, files[name]!);
    const tokenizer = await loadTokenizer(root, 'tokenizer', 77, 77);
    for (const [i, prompt] of prompts.entries()) {
      const wanted = [...ids[i]!, ...Array<number>(77 - ids[i]!.length).fill(pad)];
      expect([prompt, tokenizer.encode(prompt).ids]).toEqual([prompt, wanted]);
    }
  });

  it.each(cases)(
    '$name beside $layout: one vector alone where a pipeline has no more',
    async (of) => {
      await prepare(of.layout, files[of.name]!);
      const tokenizer = await loadTokenizer(root, 'tokenizer', 77, 77, false);
      expect(tokenizer.encode(prompts[0]!).ids.slice(0, of.plain.length)).toEqual(of.plain);
    },
  );

  it('all vectors of a token count in a chunk of a weighted prompt', async () => {
    await prepare('vocab.json', files['several vectors']!);
    const tokenizer = await loadTokenizer(root, 'tokenizer', 77);
    const [chunk, ...more] = chunksOf('a (<cat-toy>:1.5) fox', tokenizer);
    expect(more).toEqual([]);
    expect(chunk!.ids.slice(0, 7)).toEqual([554, 320, 556, 557, 558, 529, 555]);
    expect(chunk!.weights.slice(0, 7)).toEqual([1, 1, 1.5, 1.5, 1.5, 1, 1]);
    expect(chunksOf('<cat-toy> '.repeat(26), tokenizer)).toHaveLength(2);
  });

  it.each([
    ['added_tokens.json', ['<x>']],
    ['added_tokens.json', { '<x>': '556' }],
    ['added_tokens.json', { '<x>': 1e300 }],
    ['tokenizer_config.json', { added_tokens_decoder: [{ content: '<x>' }] }],
    ['tokenizer_config.json', { added_tokens_decoder: { 556: '<x>' } }],
    ['tokenizer_config.json', { added_tokens_decoder: { 556: { content: 1 } } }],
    ['tokenizer_config.json', { added_tokens_decoder: { x: { content: '<x>' } } }],
  ])('a damaged %s is refused by its name: %j', async (file, content) => {
    for (const layout of ['tokenizer.json', 'vocab.json'] as const) {
      await prepare(layout, { [file]: content });
      await expect(loadTokenizer(root, 'tokenizer', 77)).rejects.toMatchObject({
        identifier: 'model-file-damaged',
        context: { file: `tokenizer/${file}` },
      });
    }
  });

  it('a prompt that would be written out without end is refused', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => [i === 0 ? 'x' : `x_${i}`, 556 + i]);
    await prepare('vocab.json', { 'added_tokens.json': Object.fromEntries(many) });
    const tokenizer = await loadTokenizer(root, 'tokenizer', 77);
    expect(() => tokenizer.encode('x '.repeat(200))).toThrow(UserError);
  });
});

// By transformers: see settings() in test/fixtures/tokenizers/make.py.
describe('with other settings in its files', () => {
  const { prompts, cases } = JSON.parse(
    readFileSync(join(FIXTURES, 'tokenizers/settings.json'), 'utf8'),
  ) as {
    readonly prompts: readonly string[];
    readonly cases: readonly {
      readonly name: string;
      readonly layout: string;
      readonly edits: readonly (readonly [string, readonly string[], unknown])[];
      readonly ids: readonly number[][];
      readonly masks: readonly number[][];
    }[];
  };
  const LAYOUTS: Readonly<Record<string, string>> = {
    'tokenizer.json': 'models/tiny-sd/tokenizer',
    'vocab.json': 'models/tiny-sd-variants/tokenizer',
    T5: 'families/sd3/tokenizer_3',
  };

  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ylem-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  async function set(file: string, [...way]: readonly string[], value: unknown): Promise<void> {
    const path = join(root, 'tokenizer', file);
    const whole = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    const last = way.pop()!;
    const at = way.reduce((inner, key) => inner[key] as Record<string, unknown>, whole);
    at[last] = value;
    await writeFile(path, JSON.stringify(whole));
  }

  it.each(cases)("$name: transformers' ids and mask", async ({ layout, edits, ids, masks }) => {
    await cp(join(FIXTURES, LAYOUTS[layout]!), join(root, 'tokenizer'), { recursive: true });
    for (const [file, way, value] of edits) await set(file, way, value);
    const tokenizer = await loadTokenizer(root, 'tokenizer', 77, 20);
    for (const [i, prompt] of prompts.entries()) {
      const wanted = { prompt, ids: ids[i], mask: masks[i] };
      expect({ prompt, ...tokenizer.encode(prompt) }).toEqual(wanted);
    }
  });

  it.each(['padding_side', 'truncation_side'])('a %s that is no side is refused', async (key) => {
    await cp(join(FIXTURES, LAYOUTS['vocab.json']!), join(root, 'tokenizer'), { recursive: true });
    await set('tokenizer_config.json', [key], 'middle');
    await expect(loadTokenizer(root, 'tokenizer', 77)).rejects.toMatchObject({
      identifier: 'model-file-damaged',
      message: `The model's tokenizer/tokenizer_config.json has a ${key} that is neither left nor right.`,
    });
  });

  it.each(['merges.txt', 'spiece.model', 'added_tokens.json'])(
    'a %s that cannot be read is not one that is missing',
    async (file) => {
      const folder = join(root, 'tokenizer');
      await cp(join(FIXTURES, LAYOUTS['vocab.json']!), folder, { recursive: true });
      await rm(join(folder, file), { force: true });
      await mkdir(join(folder, file));
      await expect(loadTokenizer(root, 'tokenizer', 77)).rejects.toMatchObject({
        identifier: 'model-file-damaged',
        message: `The model's tokenizer/${file} cannot be read (EISDIR).`,
      });
    },
  );
});
