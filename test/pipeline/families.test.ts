// Every family's pictures, held against what diffusers paints with the same weights.

import { cp, mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { describeModel } from '../../src/pipeline/describe.js';
import {
  type GenerationParameters,
  loadModel,
  type Model,
  type RgbImage,
} from '../../src/pipeline/index.js';
import { assembleModel, FAMILIES } from '../support/models.js';

const MODELS = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const SAFETY = fileURLToPath(new URL('../fixtures/safety/', import.meta.url));
const CPU = { providers: ['cpu'], threads: 1 };

interface Case {
  readonly model: string;
  readonly picture: string;
  /** what the directory's ylem.json says */
  readonly own?: object;
  readonly parameters: GenerationParameters;
}
const EXPECTED = join(FAMILIES, 'expected');
const CASES = JSON.parse(await readFile(join(EXPECTED, 'cases.json'), 'utf8')) as readonly Case[];

const folders: string[] = [];
const models = new Map<string, Promise<Model>>();
afterAll(async () => {
  for (const model of models.values()) await (await model).dispose();
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function folderOf(name: string, own?: object): Promise<string> {
  const folder = await assembleModel(name, own);
  folders.push(folder);
  return folder;
}

/** loaded once for all cases */
function load(name: string, own?: object): Promise<Model> {
  const key = name + JSON.stringify(own ?? {});
  let model = models.get(key);
  if (model === undefined) {
    model = folderOf(name, own).then((folder) => loadModel(folder, CPU));
    models.set(key, model);
  }
  return model;
}

async function paint(model: Model, parameters: GenerationParameters): Promise<RgbImage> {
  let latents: Parameters<Model['decode']>[0] | undefined;
  for await (const step of model.generate(parameters)) latents = step.latents;
  return model.decode(latents!);
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

describe('a picture equals the one by diffusers', () => {
  it.each(CASES)('$model, $picture', async ({ model, picture, own, parameters }) => {
    const image = await paint(await load(model, own), parameters);
    expect([image.width, image.height]).toEqual([parameters.width, parameters.height]);
    const { most, mean } = difference(image.data, await readFile(join(EXPECTED, picture)));
    expect(most).toBeLessThanOrEqual(2);
    expect(mean).toBeLessThanOrEqual(0.01);
  });
});

describe('a model says what it is and what of it has no effect', () => {
  it.each([
    ['sdxl', { family: 'sdxl', sizeMultiple: 8, latentChannels: 4, defaultGuidanceScale: 5 }],
    ['sdxl-turbo', { family: 'sdxl', defaultSteps: 4, defaultGuidanceScale: 1 }],
    ['refiner', { family: 'sdxl', defaultScheduler: 'DDIM' }],
    ['lcm', { family: 'lcm', defaultSteps: 4, defaultGuidanceScale: 8.5 }],
    ['sd2', { family: 'sd', warnings: [] }],
    ['sd3', { family: 'sd3', sizeMultiple: 8, latentChannels: 8, warnings: [] }],
    ['sd3-short', { family: 'sd3', warnings: [expect.stringContaining('T5')] }],
    ['flux', { family: 'flux', sizeMultiple: 8, defaultGuidanceScale: 3.5 }],
    ['schnell', { family: 'flux', defaultSteps: 4, defaultGuidanceScale: 1 }],
  ])('%s, loaded or not', async (name, info) => {
    const { info: loaded } = await load(name);
    expect(loaded).toMatchObject(info);
    const { facts, problems } = await describeModel(loaded.directory);
    expect(problems).toEqual([]);
    expect(loaded).toMatchObject(facts!);
  });

  it('an image encoder, and a pipeline that is not known', async () => {
    const folder = await folderOf('sd2');
    await mkdir(join(folder, 'image_encoder'));
    await edit(folder, 'model_index.json', (index) => ({ ...index, _class_name: 'MyPipeline' }));
    const model = await loadModel(folder, CPU);
    expect(model.info.warnings).toEqual([
      expect.stringContaining('MyPipeline'),
      expect.stringContaining('image_encoder'),
    ]);
    await model.dispose();
  });
});

describe('what changes a picture and what does not', () => {
  const plain = { prompt: 'a red fox', negativePrompt: '', seed: 1, steps: 3 };
  const asked = { ...plain, guidanceScale: 6, width: 64, height: 64 };
  const pixels = async (name: string, more: Partial<GenerationParameters>) =>
    (await paint(await load(name), { ...asked, ...more })).data;

  it.each(['sdxl', 'sd3', 'sd2'])('%s: prompt, negative prompt and guidance', async (name) => {
    const own = await pixels(name, {});
    expect(await pixels(name, {})).toEqual(own);
    expect(await pixels(name, { prompt: 'a blue fox' })).not.toEqual(own);
    expect(await pixels(name, { negativePrompt: 'blue' })).not.toEqual(own);
    expect(await pixels(name, { guidanceScale: 7 })).not.toEqual(own);
  });

  it.each(['lcm', 'flux'])('%s: prompt and guidance, but no negative prompt', async (name) => {
    const own = await pixels(name, {});
    expect(await pixels(name, { prompt: 'a blue fox' })).not.toEqual(own);
    expect(await pixels(name, { negativePrompt: 'blue' })).toEqual(own);
    expect(await pixels(name, { guidanceScale: 7 })).not.toEqual(own);
  });

  it('one model call per step where the guidance is an input, two where it is not', async () => {
    for (const [name, calls] of [
      ['lcm', 3],
      ['flux', 3],
      ['sd3', 6],
    ] as const) {
      await pixels(name, {});
      // A pair may go in one batch where that is faster.
      expect([calls, 3]).toContain((await load(name)).timings.unet.length);
    }
  });

  it('a guidance rescale in ylem.json', async () => {
    const folder = await folderOf('sd2');
    await writeFile(join(folder, 'ylem.json'), '{"guidanceRescale": 0.7}');
    const model = await loadModel(folder, CPU);
    expect((await paint(model, asked)).data).not.toEqual(await pixels('sd2', {}));
    await model.dispose();
  });
});

describe('a directory that cannot be painted with is told in one sentence', () => {
  const faults: readonly [string, string, (folder: string) => Promise<unknown>, RegExp][] = [
    [
      'T5 is missing though the index names it',
      'sd3',
      (folder) => rm(join(folder, 'text_encoder_3'), { recursive: true }),
      /text_encoder_3.*null, null/,
    ],
    [
      'the second text encoder is missing',
      'sdxl',
      (folder) => rm(join(folder, 'text_encoder_2'), { recursive: true }),
      /text_encoder_2\/model\.onnx/,
    ],
    [
      'the first text encoder is missing though the index names it',
      'sdxl',
      (folder) => rm(join(folder, 'text_encoder'), { recursive: true }),
      /text_encoder\/model\.onnx/,
    ],
    [
      'a text encoder without hidden states',
      'sdxl',
      (folder) =>
        cp(
          join(MODELS, 'tiny-sd/text_encoder/model.onnx'),
          join(folder, 'text_encoder/model.onnx'),
        ),
      /text_encoder\/model\.onnx gives no hidden states/,
    ],
    [
      'a UNet of no known family',
      'sd2',
      (folder) =>
        cp(join(folder, 'vae_decoder/model.onnx'), join(folder, 'unet/model.onnx'), {
          force: true,
        }),
      /unet\/model\.onnx.*latent_sample.*sd, lcm, sdxl, sd3, flux/,
    ],
  ];
  it.each(faults)('%s', async (_, name, spoil, sentence) => {
    const folder = await folderOf(name);
    await spoil(folder);
    const { problems } = await describeModel(folder);
    // That outputs are missing is seen only by who opens the graph.
    if (!sentence.source.includes('hidden states')) expect(problems).not.toEqual([]);
    const failure = await loadModel(folder, CPU).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    const { message } = failure as UserError;
    expect(message).toMatch(sentence);
    expect(message).not.toContain(folder);
  });

  it('a size beyond the positions of SD 3', async () => {
    const model = await load('sd3');
    const large = { ...CASES[0]!.parameters, width: 256, height: 64 };
    await expect(paint(model, large)).rejects.toThrow(/at most 128 pixels per side, not 256x64/);
  });
});

describe('every generation of timestep paints the same', () => {
  const asked = { ...CASES.find(({ model }) => model === 'sdxl')!.parameters, steps: 5 };

  // 'Euler Karras' stands between whole timesteps, which an int64 graph would cut off.
  it.each(['DDIM', 'Euler Karras', 'Heun'] as const)('int64 ["steps"], %s', async (scheduler) => {
    const folder = await folderOf('sdxl');
    await cp(join(folder, 'unet/steps.onnx'), join(folder, 'unet/model.onnx'));
    const parameters = { ...asked, scheduler };
    const model = await loadModel(folder, CPU);
    expect(model.info.warnings).toEqual([]);
    expect((await paint(model, parameters)).data).toEqual(
      (await paint(await load('sdxl'), parameters)).data,
    );
    await model.dispose();
  });
});

describe('the safety checker of a directory', () => {
  const grey = (level: number) => ({
    data: new Uint8Array(3 * 48 * 64).fill(level),
    width: 64,
    height: 48,
  });

  it('flags what it flags; there is none in most directories', async () => {
    expect(await (await load('sd2')).checkSafety(grey(255))).toBeUndefined();
    const folder = await folderOf('sd2');
    await cp(SAFETY, folder, { recursive: true });
    const model = await loadModel(folder, CPU);
    expect(await model.checkSafety(grey(100))).toBe(false);
    expect(await model.checkSafety(grey(200))).toBe(true);
    // only the middle is seen: a square as wide as the picture is high
    const edges = grey(0);
    for (let i = 0; i < edges.data.length; i += 3)
      if ((i / 3) % 64 < 8 || (i / 3) % 64 >= 56) edges.data.fill(255, i, i + 3);
    expect(await model.checkSafety(edges)).toBe(false);
    await model.dispose();
  });

  it('that is damaged is told by its name, when it is asked', async () => {
    const folder = await folderOf('sd2');
    await cp(SAFETY, folder, { recursive: true });
    await writeFile(join(folder, 'safety_checker/model.onnx'), 'damaged');
    const model = await loadModel(folder, CPU);
    await expect(model.checkSafety(grey(1))).rejects.toThrow(/safety_checker\/model\.onnx/);
    await model.dispose();
  });

  it('that cannot be looked at is not one that is missing, and is looked for again', async () => {
    const folder = await folderOf('sd2');
    await cp(SAFETY, folder, { recursive: true });
    const [path, aside] = ['safety_checker', 'aside'].map((name) => join(folder, name));
    await rename(path!, aside!);
    await symlink('safety_checker', path!); // goes round in a circle, for every user
    const model = await loadModel(folder, CPU);
    const fault = {
      identifier: 'model-file-damaged',
      message: "The model's safety_checker/model.onnx cannot be read (ELOOP).",
    };
    await expect(model.hasSafetyChecker()).rejects.toMatchObject(fault);
    await expect(model.checkSafety(grey(200))).rejects.toMatchObject(fault);
    await unlink(path!);
    await rename(aside!, path!);
    expect(await model.checkSafety(grey(200))).toBe(true);
    await model.dispose();
  });

  it('that is a file where there should be a folder is none', async () => {
    const folder = await folderOf('sd2');
    await writeFile(join(folder, 'safety_checker'), '');
    const model = await loadModel(folder, CPU);
    expect(await model.hasSafetyChecker()).toBe(false);
    await model.dispose();
  });
});

describe('what diffusers makes of a directory', () => {
  const parameters: GenerationParameters = {
    prompt: 'a red fox on a meadow',
    negativePrompt: '',
    ...{ seed: 7, steps: 4, guidanceScale: 3, width: 64, height: 64 },
  };

  /** The picture of a directory after changes to its files, and the steps that half of one takes. */
  async function painted(name: string, changes: Readonly<Record<string, object>>) {
    const folder = await folderOf(name);
    for (const [file, change] of Object.entries(changes))
      await edit(folder, file, (before) => ({ ...before, ...change }));
    const model = await loadModel(folder, CPU);
    const { data } = await paint(model, parameters);
    let steps = 0;
    const image = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    for await (const _ of model.generate({ ...parameters, strength: 0.5 }, { init: { image } }))
      steps++;
    await model.dispose();
    return { data, steps, info: model.info };
  }

  it('a UNet with guidance as an input that is named a Stable Diffusion goes by its rules', async () => {
    const named = { _class_name: 'StableDiffusionPipeline' };
    const bare = { _class_name: 'DDIMScheduler', steps_offset: 0, clip_sample: true };
    const mended = { ...bare, steps_offset: 1, clip_sample: false };
    const scheduled = (config: object, index: object = {}) => ({
      'model_index.json': { scheduler: ['diffusers', 'DDIMScheduler'], ...index },
      'scheduler/scheduler_config.json': config,
    });
    const { data } = await painted('lcm', scheduled(bare, named));
    expect(data).toEqual((await painted('lcm', scheduled(mended))).data);
    expect(data).not.toEqual((await painted('lcm', scheduled(bare))).data);
    // The front is left out; a latent consistency pipeline spreads all steps over the rest.
    expect((await painted('lcm', { 'model_index.json': named })).steps).toBe(2);
    expect((await painted('lcm', {})).steps).toBe(4);
  });

  it("the scheduler's class is the one that model_index.json names, whatever its own file says", async () => {
    const named = 'DPMSolverMultistepScheduler';
    const index = { 'model_index.json': { scheduler: ['diffusers', named] } };
    const both = { ...index, 'scheduler/scheduler_config.json': { _class_name: named } };
    const { data, info } = await painted('sdxl', index);
    const agreed = await painted('sdxl', both);
    expect(data).toEqual(agreed.data);
    expect(data).not.toEqual((await painted('sdxl', {})).data);
    expect(info.defaultScheduler).toBe('DPM++ 2M');
    expect(agreed.info.warnings).toEqual([]);
    expect(info.warnings).toEqual([
      `The scheduler is ${named}, as model_index.json says; scheduler/scheduler_config.json says EulerDiscreteScheduler, which has no effect.`,
    ]);
  });

  it('what is told of such a directory is what is painted, and by its own class it has few steps', async () => {
    const folder = await folderOf('sdxl');
    const entry = ['diffusers', 'LCMScheduler'];
    await edit(folder, 'model_index.json', (index) => ({ ...index, scheduler: entry }));
    const model = await loadModel(folder, CPU);
    await model.dispose();
    expect(model.info).toMatchObject({ defaultScheduler: 'LCM', defaultSteps: 4 });
    const { facts, warnings } = await describeModel(folder);
    expect(model.info).toMatchObject(facts!);
    expect(warnings).toEqual(model.info.warnings);
  });

  it('a scheduler that is no JSON object is told as before, whatever the index names', async () => {
    const folder = await folderOf('sdxl');
    await writeFile(join(folder, 'scheduler/scheduler_config.json'), '[]');
    await expect(loadModel(folder, CPU)).rejects.toMatchObject({ identifier: 'scheduler-config' });
    const { facts, warnings } = await describeModel(folder);
    expect(facts!.defaultScheduler).toBe('unknown');
    expect(warnings).toEqual(['The scheduler configuration is not a JSON object.']);
  });

  it("a shift of the VAE's latents is for SD3 and Flux alone", async () => {
    const shifted = { 'vae/config.json': { shift_factor: 0.4 } };
    expect((await painted('sd2', shifted)).data).toEqual((await painted('sd2', {})).data);
  });

  it('a VAE that names no scaling factor has that of the class, not of the family', async () => {
    const without = { scaling_factor: undefined, latent_channels: 4 };
    const usual = { scaling_factor: 0.18215, latent_channels: 4 };
    expect((await painted('sdxl', { 'vae/config.json': without })).data).toEqual(
      (await painted('sdxl', { 'vae/config.json': usual })).data,
    );
  });
});

describe('previews', () => {
  it("are drawn by the directory's tiny decoder, unless it belongs to other latents", async () => {
    const folder = await folderOf('sd2');
    await cp(join(folder, 'vae_decoder'), join(folder, 'taesd'), { recursive: true });
    const model = await loadModel(folder, CPU);
    expect(model.info.previewKind).toBe('decoder');
    await model.dispose();
    const other = await folderOf('sd3');
    await cp(join(other, 'vae_decoder'), join(folder, 'taesd'), { recursive: true });
    const without = await loadModel(folder, CPU);
    expect(without.info.previewKind).not.toBe('decoder');
    await without.dispose();
  });
});

async function edit(
  folder: string,
  file: string,
  change: (json: Record<string, unknown>) => unknown,
): Promise<void> {
  const path = join(folder, file);
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(change(json)));
}
