// Whatever is in a model's directory, loading it ends: with a model that paints, or in one sentence.

import { cp, mkdtemp, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { describeModel } from '../../src/pipeline/describe.js';
import { loadModel, type Model } from '../../src/pipeline/index.js';
import { assembleModel } from '../support/models.js';

const RUNS = Number(process.env.YLEM_FUZZ_RUNS ?? 12);

const CONFIGS = [
  'model_index.json',
  'scheduler/scheduler_config.json',
  'text_encoder/config.json',
  'unet/config.json',
  'vae/config.json',
  'ylem.json',
  'preview.json',
  'tokenizer/vocab.json',
  'tokenizer/special_tokens_map.json',
  'tokenizer/tokenizer_config.json',
] as const;
const FILES = [
  ...CONFIGS,
  'tokenizer/merges.txt',
  'unet/model.onnx',
  'text_encoder/model.onnx',
  'vae_decoder/model.onnx',
  'vae_encoder/model.onnx',
] as const;

/** Values that configurations really have, and some that none should. */
const value = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', 'epsilon', [], {}, 0, -1, 0.5, 1e300, [0], ['a', null]),
  fc.integer({ min: -10, max: 2000 }),
  fc.jsonValue({ maxDepth: 2 }),
);

type Change =
  | { readonly kind: 'set'; readonly file: string; readonly key: number; readonly value: unknown }
  | { readonly kind: 'replace'; readonly file: string; readonly text: string }
  | { readonly kind: 'cut'; readonly file: string; readonly share: number }
  | { readonly kind: 'remove'; readonly file: string };

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      file: fc.constantFrom(...CONFIGS),
      key: fc.nat(1000),
      value,
    }),
  },
  fc.record({
    kind: fc.constant('replace' as const),
    file: fc.constantFrom(...FILES),
    text: fc.oneof(fc.json({ maxDepth: 2 }), fc.string()),
  }),
  fc.record({
    kind: fc.constant('cut' as const),
    file: fc.constantFrom(...FILES),
    share: fc.double({ min: 0, max: 0.99, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('remove' as const), file: fc.constantFrom(...FILES) }),
);

let sound: string;
beforeAll(async () => {
  sound = await assembleModel('sd2');
  const own = { steps: 3, guidanceScale: 2, width: 64, height: 64, guidanceRescale: 0.5 };
  await writeFile(join(sound, 'ylem.json'), JSON.stringify(own));
  const factors = [0, 1, 2, 3].map(() => [0.1, 0.2, 0.3]);
  await writeFile(
    join(sound, 'preview.json'),
    JSON.stringify({ latent_rgb_factors: factors, latent_rgb_bias: [0, 0, 0] }),
  );
});
afterAll(() => rm(sound, { recursive: true }));

async function apply(folder: string, one: Change): Promise<void> {
  const path = join(folder, one.file);
  switch (one.kind) {
    case 'set': {
      const text = await readFile(path, 'utf8').catch(() => '{}');
      let json: Record<string, unknown>;
      try {
        json = JSON.parse(text) as Record<string, unknown>;
      } catch {
        return; // replaced before
      }
      if (typeof json !== 'object' || json === null) return;
      const keys = Object.keys(json);
      json[keys[one.key % Math.max(1, keys.length)] ?? 'key'] = one.value;
      return writeFile(path, JSON.stringify(json));
    }
    case 'replace':
      return writeFile(path, one.text);
    case 'cut': {
      const { length } = await readFile(path).catch(() => Buffer.alloc(0));
      return truncate(path, Math.floor(length * one.share)).catch(() => {});
    }
    case 'remove':
      return unlink(path).catch(() => {});
  }
}

it('a damaged directory gives a model that paints, or one sentence', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const folder = await mkdtemp(join(tmpdir(), 'ylem-fuzz-'));
      let model: Model | undefined;
      try {
        await cp(sound, folder, { recursive: true });
        for (const one of changes) await apply(folder, one);
        const { problems } = await describeModel(folder);
        for (const problem of problems) sentence(problem, folder);
        model = await loadModel(folder, { providers: ['cpu'], threads: 1 });
        await paint(model);
      } catch (error) {
        sentence(error, folder);
      } finally {
        await model?.dispose();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
}, 1_800_000);

/** Two steps at the smallest size that the model says it can paint. */
async function paint(model: Model): Promise<void> {
  const { sizeMultiple, defaultSteps, defaultGuidanceScale } = model.info;
  expect(defaultSteps).toBeGreaterThanOrEqual(1);
  expect(defaultGuidanceScale).toBeGreaterThanOrEqual(1);
  const side = Math.ceil(64 / sizeMultiple) * sizeMultiple;
  if (side > 256) return; // true to its configuration, and too slow to try
  const size = { width: side, height: side };
  const asked = { prompt: 'a red fox', negativePrompt: '', seed: 1, steps: 2, guidanceScale: 2 };
  for await (const step of model.generate({ ...asked, ...size })) {
    await model.preview(step.predictedOriginal);
    await model.decode(step.latents);
  }
}

function sentence(error: unknown, folder: string): void {
  if (!(error instanceof UserError)) throw error;
  expect(error.message).not.toContain(folder);
  expect(error.message).not.toContain('\n');
  expect(error.message).not.toMatch(/undefined|NaN|\[object/);
}
