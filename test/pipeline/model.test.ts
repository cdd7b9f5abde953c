// Whole pictures by a real (tiny) model, held against what diffusers paints with the same weights.

import { cp, mkdtemp, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import {
  encodeWithin,
  type GenerationParameters,
  infotextOf,
  loadModel,
  type Model,
  type RgbImage,
  type Start,
  type Step,
} from '../../src/pipeline/index.js';
import { SCHEDULER_NAMES } from '../../src/pipeline/types.js';
import { saveVae } from '../support/onnx.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const MODEL = join(FIXTURES, 'models/tiny-sd');
const VARIANTS = join(FIXTURES, 'models/tiny-sd-variants');
const CPU = { providers: ['cpu'], threads: 1 };

interface Case {
  readonly name: string;
  readonly prediction: string;
  readonly parameters: GenerationParameters;
}
const CASES = JSON.parse(
  await readFile(join(FIXTURES, 'expected/expected.json'), 'utf8'),
) as readonly Case[];
const PARAMETERS: GenerationParameters = { ...CASES[0]!.parameters, scheduler: 'Euler a' };

const folders: string[] = [];
const models: Model[] = [];
afterEach(async () => {
  await Promise.all(models.splice(0).map((model) => model.dispose()));
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
});

async function copyOfModel(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  folders.push(folder);
  await cp(MODEL, folder, { recursive: true });
  return folder;
}

async function load(folder: string): Promise<Model> {
  const model = await loadModel(folder, CPU);
  models.push(model);
  return model;
}

async function all(model: Model, parameters: GenerationParameters, start?: Start): Promise<Step[]> {
  const steps: Step[] = [];
  for await (const step of model.generate(parameters, start && { start })) steps.push(step);
  return steps;
}

async function paint(model: Model, parameters: GenerationParameters): Promise<RgbImage> {
  return model.decode((await all(model, parameters)).at(-1)!.latents);
}

async function expectedPixels(name: string): Promise<Uint8Array> {
  return sharp(join(FIXTURES, 'expected', `${name}.png`))
    .removeAlpha()
    .raw()
    .toBuffer();
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
function expectSame(a: Uint8Array, b: Uint8Array): void {
  const { most, mean } = difference(a, b);
  expect(most).toBeLessThanOrEqual(2);
  expect(mean).toBeLessThanOrEqual(0.01);
}

describe('a picture equals the one by diffusers', () => {
  it.each(CASES)('$name', async ({ name, prediction, parameters }) => {
    let folder = MODEL;
    if (prediction !== 'epsilon') {
      folder = await copyOfModel();
      const path = join(folder, 'scheduler/scheduler_config.json');
      const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      await writeFile(path, JSON.stringify({ ...config, prediction_type: prediction }));
    }
    const image = await paint(await load(folder), parameters);
    expect([image.width, image.height]).toEqual([parameters.width, parameters.height]);
    expectSame(image.data, await expectedPixels(name));
  });
});

describe('every generation of exported directories paints the same', () => {
  const variants: readonly [string, (folder: string) => Promise<void>][] = [
    [
      'timestep int64 [1]',
      (to) => cp(join(VARIANTS, 'unet-int64.onnx'), join(to, 'unet/model.onnx')),
    ],
    [
      'timestep float [1]',
      (to) => cp(join(VARIANTS, 'unet-float1.onnx'), join(to, 'unet/model.onnx')),
    ],
    [
      'input_ids int32',
      (to) => cp(join(VARIANTS, 'text-int32.onnx'), join(to, 'text_encoder/model.onnx')),
    ],
    [
      'vocab.json and merges.txt',
      async (to) => {
        await rm(join(to, 'tokenizer'), { recursive: true });
        await cp(join(VARIANTS, 'tokenizer'), join(to, 'tokenizer'), { recursive: true });
      },
    ],
    [
      'no configs beside the graphs',
      async (to) => {
        for (const part of ['vae_encoder', 'text_encoder'])
          await unlink(join(to, part, 'config.json'));
      },
    ],
  ];
  it.each(variants)('%s', async (_, change) => {
    const folder = await copyOfModel();
    await change(folder);
    expectSame(
      (await paint(await load(folder), CASES[1]!.parameters)).data,
      await expectedPixels('ddim'),
    );
  });

  it('fp16, nearly', async () => {
    const folder = await copyOfModel();
    await cp(join(VARIANTS, 'unet-fp16.onnx'), join(folder, 'unet/model.onnx'));
    const model = await load(folder);
    expect(model.info.precision).toBe('fp16');
    const image = await paint(model, CASES[1]!.parameters);
    const { mean } = difference(image.data, await expectedPixels('ddim'));
    expect(mean).toBeGreaterThan(0);
    // Ten times less than between two different pictures of this model.
    expect(mean).toBeLessThan(5);
  });

  it.each([
    ['with its config', false],
    ['without one', true],
  ])('a VAE exported for one size alone, %s', async (_what, bare) => {
    const folder = await copyOfModel();
    await saveVae(join(folder, 'vae_decoder/model.onnx'), { type: 'float32', side: 24 });
    if (bare) await unlink(join(folder, 'vae_decoder/config.json'));
    const fixed = await load(folder);
    expect(fixed.info).toMatchObject({ vaeScale: 4, latentChannels: 4 });
    const { width, height } = await paint(fixed, { ...PARAMETERS, width: 96, height: 96 });
    expect([width, height]).toEqual([96, 96]);
    await expect(paint(fixed, { ...PARAMETERS, width: 64, height: 64 })).rejects.toMatchObject({
      identifier: 'model-graph-mismatch',
    });
  });

  it('a VAE without its config: the scale is seen in a decoded picture', async () => {
    const folder = await copyOfModel();
    await unlink(join(folder, 'vae_decoder/config.json'));
    expect((await load(folder)).info).toMatchObject({ vaeScale: 4, latentChannels: 4 });
  });
});

describe('a model', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(MODEL, CPU);
  });
  afterAll(() => model.dispose());

  it('says what it is', async () => {
    expect(model.info).toMatchObject({
      name: 'tiny-sd',
      provider: 'cpu',
      precision: 'fp32',
      latentChannels: 4,
      vaeScale: 4,
      sizeMultiple: 8,
      defaultWidth: 64,
      defaultHeight: 64,
      defaultScheduler: 'PNDM',
    });
    expect(await model.hash()).toMatch(/^[0-9a-f]{10}$/);
  });

  it('gives the same PNG for the same request, also when loaded anew', async () => {
    const png = async (of: Model) =>
      (
        await encodeWithin(
          await paint(of, PARAMETERS),
          1 << 22,
          infotextOf(PARAMETERS, { ...of.info, hash: await of.hash() }),
        )
      ).bytes;
    const first = await png(model);
    expect(await png(model)).toEqual(first);
    expect(await png(await loadModel(MODEL, { providers: ['cpu'] }))).toEqual(first);
  });

  it('goes on from the checkpoint of any step with the same final latents', async () => {
    for (const scheduler of ['Euler a', 'PNDM', 'DPM++ 2M'] as const) {
      const parameters = { ...PARAMETERS, scheduler };
      const whole = await all(model, parameters);
      for (const step of whole) {
        // Asked for after the run has moved on: it is the state of that moment all the same.
        const rest = await all(model, parameters, {
          kind: 'resume',
          checkpoint: step.checkpoint(),
        });
        expect(rest.at(-1)!.index).toBe(whole.length);
        expect(rest.at(-1)!.latents.data).toEqual(whole.at(-1)!.latents.data);
        expect(rest[0]!.index).toBe(Math.min(step.index + 1, whole.length));
      }
    }
  });

  it('branches: the later, the nearer to the parent; the same seed gives the same branch', async () => {
    const whole = await all(model, PARAMETERS);
    const end = whole.at(-1)!.latents.data;
    const branch = async (fromStep: number, seed: number) => {
      const { predictedOriginal } = whole[fromStep - 1]!;
      const steps = await all(model, PARAMETERS, {
        kind: 'branch',
        fromStep,
        predictedOriginal,
        seed,
      });
      expect(steps[0]!.index).toBe(fromStep + 1);
      return steps.at(-1)!.latents.data;
    };
    const distance = (a: Float32Array) =>
      a.reduce((sum, value, i) => sum + Math.abs(value - end[i]!), 0) / a.length;
    const [early, late] = [await branch(1, 7), await branch(whole.length - 1, 7)];
    expect(await branch(1, 7)).toEqual(early);
    expect(await branch(1, 8)).not.toEqual(early);
    expect(distance(late)).toBeGreaterThan(0);
    expect(distance(early)).toBeGreaterThan(distance(late));
  });

  it('refuses a branch outside the run', async () => {
    const [first] = await all(model, { ...PARAMETERS, steps: 2 });
    for (const fromStep of [0, 2, 1.5]) {
      const start = {
        kind: 'branch',
        fromStep,
        predictedOriginal: first!.predictedOriginal,
        seed: 1,
      } as const;
      await expect(all(model, { ...PARAMETERS, steps: 2 }, start)).rejects.toBeInstanceOf(
        UserError,
      );
    }
  });

  it('ends between steps when its signal is aborted', async () => {
    const abort = new AbortController();
    const seen: number[] = [];
    const run = async () => {
      for await (const step of model.generate(PARAMETERS, { signal: abort.signal })) {
        seen.push(step.index);
        if (step.index === 3) abort.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toEqual([1, 2, 3]);
  });

  it('calls the UNet once per step at guidance 1', async () => {
    await all(model, { ...PARAMETERS, steps: 5, guidanceScale: 1 });
    expect(model.timings.unet).toHaveLength(5);
  });

  it.each(SCHEDULER_NAMES.filter((name) => !name.startsWith('Flow')))(
    'leaves the tensors and checkpoint of a step as they were told: %s',
    async (scheduler) => {
      const told: { step: Step; x: Float32Array; x0: Float32Array; state: Uint8Array }[] = [];
      for await (const step of model.generate({ ...PARAMETERS, scheduler })) {
        const { latents, predictedOriginal } = step;
        const [x, x0] = [latents.data.slice(), predictedOriginal.data.slice()];
        told.push({ step, x, x0, state: step.checkpoint() });
      }
      for (const { step, x, x0, state } of told) {
        expect(step.latents.data).toEqual(x);
        expect(step.predictedOriginal.data).toEqual(x0);
        expect(Buffer.from(step.checkpoint()).equals(state)).toBe(true);
      }
    },
  );

  it('names the graph that has no embedding of a token of its tokenizer', async () => {
    const folder = await copyOfModel();
    const path = join(folder, 'tokenizer/added_tokens.json');
    await writeFile(path, JSON.stringify({ '<cat-toy>': 5000 }));
    const config = join(folder, 'tokenizer/tokenizer.json');
    await rm(config, { force: true });
    for (const file of ['vocab.json', 'merges.txt'])
      await cp(join(VARIANTS, 'tokenizer', file), join(folder, 'tokenizer', file));
    const plain = await load(folder);
    await expect(all(plain, { ...PARAMETERS, prompt: 'a <cat-toy> fox' })).rejects.toMatchObject({
      identifier: 'model-graph-mismatch',
      message: expect.stringMatching(/^The model's text_encoder\/model\.onnx has no embedding/),
    });
    await expect(all(plain, PARAMETERS)).resolves.not.toHaveLength(0);
  });

  it('adds up what its graphs take, anew for each picture', async () => {
    const [last] = (await all(model, { ...PARAMETERS, steps: 30 })).slice(-1);
    const steps = model.timings.graphs;
    await model.decode(last!.latents);
    expect(model.timings.graphs).toBeGreaterThan(steps);
    await all(model, { ...PARAMETERS, steps: 1 });
    expect(model.timings.graphs).toBeGreaterThan(0);
    expect(model.timings.graphs).toBeLessThan(steps);
  });

  it('draws previews of the picture that is forming', async () => {
    const steps = await all(model, PARAMETERS);
    const { latents, predictedOriginal } = steps.at(-1)!;
    const preview = await model.preview(predictedOriginal);
    expect(preview.data.length).toBe(3 * preview.width * preview.height);
    expect(new Set(preview.data).size).toBeGreaterThan(16);
    expect((await model.decode(latents)).width).toBe(64);
  });

  it('refuses a size that it cannot paint', async () => {
    await expect(all(model, { ...PARAMETERS, width: 68 })).rejects.toThrow(
      /multiples of 8.*72x64|multiples of 8.*64x64/,
    );
  });
});

describe('a model directory at fault is one sentence that names the file', () => {
  const missing = [
    'model_index.json',
    'scheduler/scheduler_config.json',
    'text_encoder/model.onnx',
    'unet/model.onnx',
    'unet/model.onnx_data',
    'vae_decoder/model.onnx',
  ];
  it.each(missing)('without %s', async (file) => {
    const folder = await copyOfModel();
    await unlink(join(folder, file));
    await expectFault(folder, file);
  });

  it.each([
    'text_encoder/model.onnx',
    'unet/model.onnx',
    'unet/model.onnx_data',
    'vae_decoder/model.onnx',
  ])('with a truncated %s', async (file) => {
    const folder = await copyOfModel();
    await truncate(join(folder, file), 1000);
    await expectFault(folder, file);
  });

  it.each(['model_index.json', 'scheduler/scheduler_config.json', 'tokenizer/tokenizer.json'])(
    'with a %s that is no JSON',
    async (file) => {
      const folder = await copyOfModel();
      await writeFile(join(folder, file), '{"a": ');
      await expectFault(folder, file);
    },
  );

  async function expectFault(folder: string, file: string): Promise<void> {
    const failure = await loadModel(folder, CPU).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    const { message } = failure as UserError;
    expect(message).toContain(file);
    expect(message).not.toContain(folder);
    expect(message).not.toContain('\n');
  }
});

it('a provider that this machine lacks is passed over with its reason', async () => {
  const model = await loadModel(MODEL, { providers: ['cuda', 'cpu'], threads: 1 });
  models.push(model);
  if (model.info.provider === 'cuda') return; // a machine that has it
  expect(model.info.provider).toBe('cpu');
  expect(model.info.providersTried.map(({ name }) => name)).toEqual(['cuda']);
  expect(model.info.providersTried[0]!.reason).not.toBe('');
});
