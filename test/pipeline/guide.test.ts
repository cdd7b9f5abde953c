// Init images, masks, weighted prompts and clip skip against what diffusers paints
// (test/fixtures/guide/make.py), and what such runs need besides: going on, branches, refusals.

import { cp, mkdtemp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { loadModel, type Model } from '../../src/pipeline/model.js';
import type {
  GenerationParameters,
  InitImage,
  RgbImage,
  Start,
  Step,
} from '../../src/pipeline/types.js';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const MODEL = join(FIXTURES, 'models/tiny-sd');
const VARIANTS = join(FIXTURES, 'models/tiny-sd-variants');
const CPU = { providers: ['cpu'], threads: 1 };

interface Case {
  readonly name: string;
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly parameters: GenerationParameters;
}
const CASES = JSON.parse(
  await readFile(join(FIXTURES, 'guide/cases.json'), 'utf8'),
) as readonly Case[];

const folders: string[] = [];
const models: Model[] = [];
afterEach(async () => {
  await Promise.all(models.splice(0).map((model) => model.dispose()));
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
});

/** A copy of the model with the scheduler's class and keys changed, and graphs put in its place. */
async function variant(
  config: Case['config'],
  graphs: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  folders.push(folder);
  await cp(MODEL, folder, { recursive: true });
  const path = join(folder, 'scheduler/scheduler_config.json');
  const own = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...own, ...config }));
  if (config?._class_name !== undefined) {
    const index = join(folder, 'model_index.json');
    const entries = JSON.parse(await readFile(index, 'utf8')) as object;
    const scheduler = ['diffusers', config._class_name];
    await writeFile(index, JSON.stringify({ ...entries, scheduler }));
  }
  for (const [part, file] of Object.entries(graphs)) {
    await cp(join(VARIANTS, file), join(folder, part, 'model.onnx'));
  }
  return folder;
}

const GRAPHS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nine: { unet: 'unet-inpaint.onnx' },
  skip: { text_encoder: 'text-hidden.onnx' },
  words: { text_encoder: 'text-hidden.onnx' },
  'words-image': { text_encoder: 'text-hidden.onnx' },
};

async function load(folder: string): Promise<Model> {
  const model = await loadModel(folder, CPU);
  models.push(model);
  return model;
}

/** What a case begins from, if anything. */
async function initOf({ kind, parameters }: Case): Promise<InitImage | undefined> {
  if (parameters.strength === undefined) return undefined;
  const { width, height } = parameters;
  const file = (what: string) => readFile(join(FIXTURES, `guide/${what}-${width}x${height}.png`));
  const masked = kind === 'mask' || kind === 'nine';
  return { image: await file('image'), ...(masked && { mask: await file('mask') }) };
}

async function all(
  model: Model,
  parameters: GenerationParameters,
  init?: InitImage,
  start?: Start,
): Promise<Step[]> {
  const steps: Step[] = [];
  const options = { ...(init && { init }), ...(start && { start }) };
  for await (const step of model.generate(parameters, options)) steps.push(step);
  return steps;
}

async function paint(
  model: Model,
  parameters: GenerationParameters,
  init?: InitImage,
): Promise<RgbImage> {
  return model.decode((await all(model, parameters, init)).at(-1)!.latents);
}

function difference(a: Uint8Array, b: Uint8Array): { most: number; mean: number } {
  expect(a.length).toBe(b.length);
  let [most, sum] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    most = Math.max(most, d);
    sum += d;
  }
  return { most, mean: sum / a.length };
}

/** Within 2 levels everywhere and 0.01 on average. */
async function expectSame({ data }: RgbImage, name: string): Promise<void> {
  const expected = await sharp(join(FIXTURES, `guide/${name}.png`))
    .removeAlpha()
    .raw()
    .toBuffer();
  const { most, mean } = difference(data, expected);
  expect(most).toBeLessThanOrEqual(2);
  expect(mean).toBeLessThanOrEqual(0.01);
}

const caseOf = (name: string): Case => CASES.find((one) => one.name === name)!;

describe('a picture equals the one by diffusers', () => {
  it.each(CASES)('$name', async (one) => {
    const model = await load(await variant(one.config, GRAPHS[one.kind]));
    await expectSame(await paint(model, one.parameters, await initOf(one)), one.name);
  });
});

describe('a run from an init image', () => {
  let model: Model;
  let image: Buffer;
  let mask: Buffer;
  const P: GenerationParameters = { ...caseOf('mask-pndm-08').parameters, scheduler: 'Euler a' };
  beforeAll(async () => {
    model = await loadModel(MODEL, CPU);
    image = await readFile(join(FIXTURES, 'guide/image-64x64.png'));
    mask = await readFile(join(FIXTURES, 'guide/mask-64x64.png'));
  });
  afterAll(() => model.dispose());

  it('counts the steps that it does', async () => {
    const steps = await all(model, { ...P, strength: 0.55 }, { image });
    expect(steps.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(steps.map(({ total }) => total))).toEqual(new Set([5]));
  });

  it.each(['Euler a', 'PNDM', 'DPM++ 2M'] as const)(
    'goes on from the checkpoint of any step with the same final latents: %s',
    async (scheduler) => {
      const parameters = { ...P, scheduler };
      for (const init of [{ image }, { image, mask }]) {
        const whole = await all(model, parameters, init);
        for (const step of whole) {
          const start = { kind: 'resume', checkpoint: step.checkpoint() } as const;
          // With the image at hand or without it: the checkpoint holds what came of it.
          for (const given of [init, undefined]) {
            const rest = await all(model, parameters, given, start);
            expect(rest.at(-1)!.latents.data).toEqual(whole.at(-1)!.latents.data);
            expect(rest[0]!.index).toBe(Math.min(step.index + 1, whole.length));
          }
        }
      }
    },
  );

  it('an inpainting model goes on from a checkpoint too', async () => {
    const nine = await load(await variant(null, GRAPHS.nine));
    const whole = await all(nine, P, { image, mask });
    const start = { kind: 'resume', checkpoint: whole[2]!.checkpoint() } as const;
    const rest = await all(nine, P, undefined, start);
    expect(rest.at(-1)!.latents.data).toEqual(whole.at(-1)!.latents.data);
  });

  it('branches: the later, the nearer to the parent; what the mask keeps stays', async () => {
    const whole = await all(model, P, { image, mask });
    const end = whole.at(-1)!.latents.data;
    const branch = async (fromStep: number, seed: number) => {
      const { predictedOriginal } = whole[fromStep - 1]!;
      const steps = await all(
        model,
        P,
        { image, mask },
        {
          kind: 'branch',
          fromStep,
          predictedOriginal,
          seed,
        },
      );
      expect(steps[0]!.index).toBe(fromStep + 1);
      expect(steps.at(-1)!.index).toBe(whole.length);
      return steps.at(-1)!.latents.data;
    };
    const distance = (a: Float32Array) =>
      a.reduce((sum, value, i) => sum + Math.abs(value - end[i]!), 0) / a.length;
    const [early, late] = [await branch(1, 7), await branch(whole.length - 1, 7)];
    expect(await branch(1, 7)).toEqual(early);
    expect(await branch(1, 8)).not.toEqual(early);
    expect(distance(late)).toBeGreaterThan(0);
    expect(distance(early)).toBeGreaterThan(distance(late));
    // The last row of latents lies outside the mask.
    expect(early.slice(240, 256)).toEqual(end.slice(240, 256));
  });

  it('the less strength, the nearer to the image', async () => {
    const own = await sharp(image).removeAlpha().raw().toBuffer();
    const far = async (strength: number) =>
      difference((await paint(model, { ...P, steps: 20, strength }, { image })).data, own).mean;
    const [weak, strong] = [await far(0.05), await far(0.9)];
    expect(weak).toBeLessThan(strong);
  });

  it('with NV noise is another picture, the same each time', async () => {
    const nv = async () => (await paint(model, { ...P, noise: 'nv' }, { image, mask })).data;
    const first = await nv();
    expect(await nv()).toEqual(first);
    expect(first).not.toEqual((await paint(model, P, { image, mask })).data);
  });

  it('takes latents from an encoder that has drawn them itself', async () => {
    const drawn = await load(await variant(null, { vae_encoder: 'vae-encoder-drawn.onnx' }));
    const picture = await paint(drawn, { ...P, steps: 20, strength: 0.05 }, { image });
    const sampled = await paint(model, { ...P, steps: 20, strength: 0.05 }, { image });
    const { mean } = difference(picture.data, sampled.data);
    expect(mean).toBeGreaterThan(0);
    expect(mean).toBeLessThan(40);
    expect(drawn.info.warnings.join(' ')).toMatch(/vae_encoder.*seed/);
    expect(model.info.warnings.join(' ')).not.toMatch(/vae_encoder/);
  });

  const refused: readonly [string, Partial<GenerationParameters>, boolean, string][] = [
    ['a strength that leaves no step', { strength: 0.05 }, true, 'strength-too-small'],
    ['a strength of 0', { strength: 0 }, true, 'bad-strength'],
    ['a strength above 1', { strength: 1.01 }, true, 'bad-strength'],
    ['a strength that is no number', { strength: Number.NaN }, true, 'bad-strength'],
    ['a strength without an image', { strength: 0.5 }, false, 'init-missing'],
    ['a size that does not fit', { strength: 0.5, width: 68 }, true, 'bad-size'],
    ['a clip skip without hidden states', { strength: 0.5, clipSkip: 1 }, true, 'no-clip-skip'],
    ['a clip skip below 0', { strength: 0.5, clipSkip: -1 }, true, 'bad-clip-skip'],
  ];
  it.each(refused)('refuses %s in one sentence', async (_, change, given, identifier) => {
    const run = all(model, { ...P, ...change }, given ? { image } : undefined);
    const failure = await run.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(failure).toMatchObject({ identifier });
    expect((failure as UserError).message).toMatch(/^[A-Z][^\n]+\.$/);
  });

  it('refuses an image without a strength, and a branch outside the run', async () => {
    const { strength: _, ...without } = P;
    await expect(all(model, without, { image })).rejects.toMatchObject({
      identifier: 'strength-missing',
    });
    const [first] = await all(model, P, { image });
    for (const fromStep of [0, 8, 1.5]) {
      const { predictedOriginal } = first!;
      const start = { kind: 'branch', fromStep, predictedOriginal, seed: 1 } as const;
      await expect(all(model, P, { image }, start)).rejects.toMatchObject({
        identifier: 'bad-branch',
      });
    }
  });

  it('needs an encoder, and an inpainting model needs image and mask', async () => {
    const folder = await variant(null);
    await unlink(join(folder, 'vae_encoder/model.onnx'));
    await expect(all(await load(folder), P, { image })).rejects.toMatchObject({
      identifier: 'no-vae-encoder',
    });
    const nine = await load(await variant(null, GRAPHS.nine));
    const { strength: _, ...plain } = P;
    await expect(all(nine, plain)).rejects.toMatchObject({ identifier: 'needs-mask' });
    await expect(all(nine, P, { image })).rejects.toMatchObject({ identifier: 'needs-mask' });
  });
});

describe('prompt weighting', () => {
  const P = caseOf('words-long').parameters;

  it('changes nothing of a plain prompt, and everything of a weighted one', async () => {
    const model = await load(MODEL);
    const picture = async (prompt: string, weighting: boolean) =>
      (await paint(model, { ...P, prompt, negativePrompt: '', weighting })).data;
    expect(await picture('a red fox', true)).toEqual(await picture('a red fox', false));
    expect(await picture('a (red:1.5) fox', true)).not.toEqual(await picture('a red fox', true));
    expect(await picture('a (red:1.5) fox', false)).not.toEqual(
      await picture('a (red:1.5) fox', true),
    );
  });

  it('skips layers of the negative prompt too, where diffusers skips those of the prompt alone', async () => {
    const model = await load(await variant(null, GRAPHS.skip));
    // Where prompt and negative prompt come to the same embedding, guidance has nothing to go by.
    const same = { ...P, prompt: 'a fox', negativePrompt: 'a fox', clipSkip: 1 };
    const picture = async (guidanceScale: number, weighting: boolean) =>
      (await paint(model, { ...same, guidanceScale, weighting })).data;
    expect(await picture(9, true)).toEqual(await picture(2, true));
    expect(await picture(9, false)).not.toEqual(await picture(2, false));
  });

  it('beyond what a clip skip can take is refused', async () => {
    const model = await load(await variant(null, GRAPHS.skip));
    await expect(all(model, { ...P, clipSkip: 3 })).rejects.toMatchObject({
      identifier: 'bad-clip-skip',
    });
  });
});
