// Model directories with every kind of damage, and parameters and prompts of every kind: a model
// loads and paints, or one sentence says what is at fault. Real graphs; nothing may throw anything
// but a UserError, whatever is written into the files.

import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import {
  type GenerationParameters,
  loadModel,
  type Model,
  SCHEDULER_NAMES,
} from '../../src/pipeline/index.js';

const MODEL = fileURLToPath(new URL('../fixtures/models/tiny-sd', import.meta.url));
const CPU = { providers: ['cpu'], threads: 1 };
const RUNS = Number(process.env.YLEM_TEST_FUZZ ?? 6);

const JSONS = [
  'model_index.json',
  'scheduler/scheduler_config.json',
  'text_encoder/config.json',
  'tokenizer/tokenizer.json',
  'tokenizer/tokenizer_config.json',
  'unet/config.json',
  'vae_decoder/config.json',
];
const GRAPHS = ['text_encoder/model.onnx', 'unet/model.onnx', 'vae_decoder/model.onnx'];
const FILES = [...JSONS, ...GRAPHS, 'unet/model.onnx_data'];
/** without these the model paints all the same */
const OPTIONAL = JSONS.filter((file) => /config/.test(file) && !file.startsWith('scheduler'));

const PARAMETERS: GenerationParameters = {
  prompt: 'a red fox',
  negativePrompt: '',
  seed: 1,
  steps: 2,
  guidanceScale: 5,
  width: 64,
  height: 64,
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ylem-fuzz-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let copies = 0;
async function copyOfModel(): Promise<string> {
  const folder = join(root, String(copies++));
  await cp(MODEL, folder, { recursive: true });
  return folder;
}

/** Loads, paints and releases. @returns the UserError that it ended with, if it did */
async function use(folder: string): Promise<UserError | undefined> {
  let model: Model | undefined;
  try {
    model = await loadModel(folder, CPU);
    const { defaultWidth: width, defaultHeight: height } = model.info;
    let latents: Parameters<Model['decode']>[0] | undefined;
    for await (const step of model.generate({ ...PARAMETERS, width, height })) {
      latents = step.latents;
    }
    const { data } = await model.decode(latents!);
    expect(data.length % 3).toBe(0);
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error;
  } finally {
    await model?.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** One sentence for an owner: no paths of this machine, no line breaks, no stack. */
function expectSentence({ message }: UserError): void {
  expect(message).toMatch(/^[A-Z].*[.]$/s);
  expect(message).not.toMatch(/\n|undefined|\[object|NaN is|TypeError|onnxruntime_src/);
  expect(message).not.toContain(root);
  expect(message.length).toBeLessThan(500);
}

type Damage = readonly [string, (path: string, at: number) => Promise<void>];
const DAMAGES: readonly Damage[] = [
  ['cut off', async (path, at) => truncate(path, Math.floor(at * (await readFile(path)).length))],
  ['empty', (path) => writeFile(path, '')],
  ['gone', (path) => rm(path)],
  [
    'a folder instead',
    async (path) => {
      await rm(path);
      await mkdir(path);
    },
  ],
  [
    'a link to itself',
    async (path) => {
      await rm(path);
      await symlink(path, path);
    },
  ],
  [
    'noise',
    async (path, at) => {
      const bytes = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7919 * (1 + at * 97)) & 255);
      await writeFile(path, bytes);
    },
  ],
];

describe('a file of a directory that is', { timeout: 120_000 }, () => {
  const cases = DAMAGES.flatMap(([name, damage]) =>
    FILES.map((file) => [name, file, damage] as const),
  );
  it.each(cases)('%s: %s', async (_, file, damage) => {
    const folder = await copyOfModel();
    await damage(join(folder, file), 0.6);
    const failure = await use(folder);
    if (failure === undefined) {
      expect(OPTIONAL).toContain(file);
      return;
    }
    expectSentence(failure);
    expect(failure.message).toContain(file);
  });
});

it('a link to the file elsewhere is followed, as model caches have them', async () => {
  const folder = await copyOfModel();
  const path = join(folder, 'text_encoder/model.onnx');
  await rename(path, join(folder, 'blob'));
  await symlink('../blob', path);
  expect(await use(folder)).toBeUndefined();
});

// Each try loads a model anew, which takes seconds on a busy machine.
describe('JSON of any shape', { timeout: 300_000 }, () => {
  const value = fc.oneof(
    fc.constantFrom(null, true, 0, -1, 0.5, 1e308, -1e-320, 2 ** 53, '', 'x', [], {}, [[]], [0]),
    fc.constantFrom('NaN', '-Infinity', '__proto__', '\u0000', '😀'),
    fc.jsonValue({ maxDepth: 2 }),
    fc.array(fc.integer(), { maxLength: 4 }),
  );

  it('instead of a whole file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...JSONS), value, async (file, given) => {
        const folder = await copyOfModel();
        await writeFile(join(folder, file), JSON.stringify(given));
        const failure = await use(folder);
        if (failure !== undefined) expectSentence(failure);
      }),
      { numRuns: RUNS },
    );
  });

  it.each(JSONS)('as the value of one key of %s, or without it', async (file) => {
    const whole = JSON.parse(await readFile(join(MODEL, file), 'utf8')) as Record<string, unknown>;
    const keys = [...Object.keys(whole), ...MORE_KEYS];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...keys),
        fc.option(value, { nil: undefined }),
        async (key, given) => {
          const folder = await copyOfModel();
          await writeFile(join(folder, file), JSON.stringify({ ...whole, [key]: given }));
          const failure = await use(folder);
          if (failure !== undefined) expectSentence(failure);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it.each(['NaN', 'Infinity', '-Infinity', '1e999'])(
    '%s as Python writes it is a number or a sentence',
    async (word) => {
      for (const file of ['scheduler/scheduler_config.json', 'vae_decoder/config.json']) {
        const folder = await copyOfModel();
        const text = await readFile(join(folder, file), 'utf8');
        await writeFile(join(folder, file), text.replace(/: [\d.e-]+(,?)$/m, `: ${word}$1`));
        const failure = await use(folder);
        if (failure !== undefined) expectSentence(failure);
      }
    },
  );
});

/** keys that change what is computed, whether the file has them or not */
const MORE_KEYS = [
  'block_out_channels',
  'sample_size',
  'scaling_factor',
  'shift_factor',
  'latent_channels',
  'in_channels',
  'max_position_embeddings',
  'model_max_length',
  'prediction_type',
  'beta_start',
  'trained_betas',
  'num_train_timesteps',
  'timestep_spacing',
  'use_karras_sigmas',
  'steps_offset',
  'model',
  'added_tokens',
];

describe('graphs that are not what their folder says', () => {
  const pairs = GRAPHS.flatMap((from) => GRAPHS.map((to) => [from, to] as const)).filter(
    ([from, to]) => from !== to,
  );
  it.each(pairs)('%s in the place of %s', async (from, to) => {
    const folder = await copyOfModel();
    await cp(join(MODEL, from), join(folder, to));
    if (from.startsWith('unet')) {
      await cp(`${join(MODEL, from)}_data`, join(folder, to, '..', 'model.onnx_data'));
    }
    const failure = await use(folder);
    expect(failure).toBeDefined();
    expectSentence(failure!);
    expect(failure!.message).toContain(to);
  });
});

describe('a loaded model', { timeout: 120_000 }, () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(MODEL, CPU);
  });
  afterAll(() => model.dispose());

  async function paint(parameters: GenerationParameters): Promise<UserError | undefined> {
    try {
      for await (const { latents } of model.generate(parameters)) {
        expect(latents.data.every(Number.isFinite)).toBe(true);
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return error;
    }
  }

  it('paints any text', async () => {
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.string({
        unit: fc.constantFrom(...'()[]:\\ 1.-a😀\n\t\u0000\u200d\ufeff'),
        maxLength: 80,
      }),
      fc.constantFrom(
        '\ud800',
        '\udfff\ud800',
        '<|endoftext|>',
        'BREAK BREAK',
        '((((',
        'é',
        '((a:1e9)',
      ),
    );
    await fc.assert(
      fc.asyncProperty(texts, texts, fc.boolean(), async (prompt, negativePrompt, weighting) => {
        const parameters = { ...PARAMETERS, prompt, negativePrompt, weighting, steps: 1 };
        const failure = await paint(parameters);
        if (failure !== undefined) expectSentence(failure);
      }),
      { numRuns: 3 * RUNS },
    );
  });

  it('paints what is in range, and says of everything else what is allowed', async () => {
    const any = fc.oneof(
      fc.integer({ min: -5, max: 200 }),
      fc.double(),
      fc.constantFrom(0, -0, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 64, 72, 2048, 4096, Number.NaN),
    );
    const inRange = {
      seed: (n: number) => Number.isInteger(n) && n >= 0 && n < 2 ** 32,
      steps: (n: number) => Number.isInteger(n) && n >= 1 && n <= 150,
      guidanceScale: (n: number) => n >= 0 && n <= 30,
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('seed', 'steps', 'guidanceScale'),
        any,
        fc.constantFrom(undefined, ...SCHEDULER_NAMES),
        async (name, given, scheduler) => {
          const parameters = {
            ...PARAMETERS,
            steps: 1,
            [name]: given,
            ...(scheduler !== undefined && { scheduler }),
          };
          if (name === 'steps' && given > 20 && given <= 150) return; // only takes long
          const failure = await paint(parameters);
          // Schedulers for flow models are none for this one, and are refused as such.
          if (failure?.identifier === 'scheduler-flow') return;
          if (failure === undefined)
            expect(inRange[name as keyof typeof inRange](given)).toBe(true);
          else {
            expectSentence(failure);
            expect(inRange[name as keyof typeof inRange](given)).toBe(false);
          }
        },
      ),
      { numRuns: 3 * RUNS },
    );
  });

  it('refuses sizes that it cannot paint, and names the nearest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.integer({ min: -10, max: 3000 }), fc.double()),
        fc.oneof(fc.integer({ min: -10, max: 3000 }), fc.double()),
        async (width, height) => {
          const fits = (side: number) =>
            Number.isInteger(side) && side >= 64 && side <= 2048 && side % 8 === 0;
          if (fits(width) && fits(height)) return; // painting large ones only takes long
          const failure = await paint({ ...PARAMETERS, width, height });
          expect(failure?.identifier).toBe('bad-size');
          const { nearWidth, nearHeight } = failure!.context;
          expect(fits(Number(nearWidth)) && fits(Number(nearHeight))).toBe(true);
        },
      ),
      { numRuns: 5 * RUNS },
    );
  });
});
