// Parity on what the repository itself holds: paints every picture below test/fixtures that diffusers
// has painted, and writes docs/parity-fixtures.md from what came out. Needs no Python.
//
//     node --import tsx bench/parity-fixtures.ts
//
// The pictures on WebGPU are painted on the machine's GPU or on Chromium's SwiftShader (minutes), and
// left out where there is neither. Exit status 1 when a picture is beyond its limits.

import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { env } from 'onnxruntime-node';
import sharp from 'sharp';
import { type GenerationParameters, type InitImage, loadModel } from '../src/pipeline/index.js';
import { findVulkan } from '../test/gpu/vulkan.mjs';
import { assembleModel } from '../test/support/models.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FIXTURES = join(ROOT, 'test/fixtures');
const TINY = join(FIXTURES, 'models/tiny-sd');
const FILE = join(ROOT, 'docs/parity-fixtures.md');

interface Picture {
  readonly what: string;
  readonly provider: 'cpu' | 'webgpu';
  /** makes the model's directory; pictures with the same `key` share it */
  readonly key: string;
  readonly directory: () => Promise<string>;
  readonly parameters: GenerationParameters;
  readonly init?: () => Promise<InitImage>;
  /** [H, W, 3] */
  readonly expected: () => Promise<Uint8Array>;
  /** levels of 255: in any pixel, and on average */
  readonly limits: readonly [most: number, mean: number];
}

const EXACT = [2, 0.01] as const;
/** see test/pipeline/half.test.ts */
const HALF = [2, 0.1] as const;
/** other kernels than the CPU's, in float32 */
const GPU = [2, 0.05] as const;

const json = async <T>(file: string): Promise<T> =>
  JSON.parse(await readFile(join(FIXTURES, file), 'utf8')) as T;
const png = (file: string) => () => sharp(join(FIXTURES, file)).removeAlpha().raw().toBuffer();
const raw = (file: string) => () => readFile(join(FIXTURES, file));

/** tiny-sd with other scheduler keys and other graphs */
const tiny =
  (keys: Readonly<Record<string, unknown>> | null, graphs: Readonly<Record<string, string>> = {}) =>
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ylem-parity-'));
    await cp(TINY, folder, { recursive: true });
    const set = async (file: string, values: object | null) => {
      const path = join(folder, file);
      const own = JSON.parse(await readFile(path, 'utf8')) as object;
      await writeFile(path, JSON.stringify({ ...own, ...values }));
    };
    await set('scheduler/scheduler_config.json', keys);
    if (keys?._class_name !== undefined)
      await set('model_index.json', { scheduler: ['diffusers', keys._class_name] });
    for (const [part, file] of Object.entries(graphs))
      await cp(join(FIXTURES, 'models', file), join(folder, part, 'model.onnx'));
    // Without it a decode at load finds out what a preview costs.
    const rows = Array.from({ length: 4 }, () => [0.2, 0.3, 0.4]);
    await writeFile(join(folder, 'preview.json'), JSON.stringify({ latent_rgb_factors: rows }));
    return folder;
  };

const initOf =
  ({ width, height }: GenerationParameters, masked: boolean) =>
  async (): Promise<InitImage> => {
    const file = (what: string) => readFile(join(FIXTURES, `guide/${what}-${width}x${height}.png`));
    return { image: await file('image'), ...(masked && { mask: await file('mask') }) };
  };

async function pictures(webgpu: boolean): Promise<Picture[]> {
  type Tiny = { name: string; prediction: string; parameters: GenerationParameters };
  const base = await json<Tiny[]>('expected/expected.json');
  const of = ({ name, prediction, parameters }: Tiny) => ({
    key: `tiny ${prediction}`,
    directory: tiny({ prediction_type: prediction }),
    parameters,
    expected: png(`expected/${name}.png`),
  });
  const list: Picture[] = base.map((one) => ({
    what: 'Stable Diffusion 1.x, epsilon and v',
    provider: 'cpu',
    ...of(one),
    limits: EXACT,
  }));

  type Family = {
    model: string;
    picture: string;
    masked?: boolean;
    own?: object;
    parameters: GenerationParameters;
  };
  for (const one of await json<Family[]>('families/expected/cases.json')) {
    list.push({
      what: one.own === undefined ? one.model : `${one.model} with ${Object.keys(one.own).join()}`,
      provider: 'cpu',
      key: one.model + JSON.stringify(one.own ?? {}),
      directory: () => assembleModel(one.model, one.own),
      parameters: one.parameters,
      expected: raw(`families/expected/${one.picture}`),
      limits: EXACT,
    });
  }
  for (const one of await json<Family[]>('guide/families/cases.json')) {
    list.push({
      what: `${one.parameters.strength === undefined ? 'clip skip' : 'init images and masks'}: ${one.model}`,
      provider: 'cpu',
      key: one.model,
      directory: () => assembleModel(one.model),
      parameters: one.parameters,
      ...(one.parameters.strength !== undefined && {
        init: initOf(one.parameters, one.masked === true),
      }),
      expected: raw(`guide/families/${one.picture}`),
      limits: EXACT,
    });
  }

  type Guide = {
    name: string;
    kind: string;
    config: Readonly<Record<string, unknown>> | null;
    parameters: GenerationParameters;
  };
  const variants = 'tiny-sd-variants';
  const hidden = { text_encoder: `${variants}/text-hidden.onnx` };
  const kinds: Record<string, readonly [string, Record<string, string>]> = {
    image: ['init images', {}],
    mask: ['init images and masks', {}],
    nine: ['inpainting models with 9 channels', { unet: `${variants}/unet-inpaint.onnx` }],
    skip: ['clip skip', hidden],
    words: ['weighted and long prompts', hidden],
    'words-image': ['weighted and long prompts', hidden],
  };
  for (const one of await json<Guide[]>('guide/cases.json')) {
    const [what, graphs] = kinds[one.kind]!;
    list.push({
      what,
      provider: 'cpu',
      key: JSON.stringify([one.config, graphs]),
      directory: tiny(one.config, graphs),
      parameters: one.parameters,
      ...(one.parameters.strength !== undefined && {
        init: initOf(one.parameters, ['mask', 'nine'].includes(one.kind)),
      }),
      expected: png(`guide/${one.name}.png`),
      limits: EXACT,
    });
  }

  type Hydrogen = { prompt: string; negative: string; guidance: number; file: string } & Pick<
    GenerationParameters,
    'seed' | 'steps' | 'width' | 'height'
  >;
  for (const { negative, guidance, file, ...rest } of await json<Hydrogen[]>(
    'hydrogen/cases.json',
  )) {
    const { prompt, seed, steps, width, height } = rest;
    list.push({
      what: 'the embedded model',
      provider: 'cpu',
      key: 'hydrogen',
      directory: async () => join(ROOT, 'models/hydrogen'),
      parameters: {
        ...{ prompt, seed, steps, width, height },
        ...{ negativePrompt: negative, guidanceScale: guidance },
      },
      expected: png(`hydrogen/${file}`),
      limits: EXACT,
    });
  }

  const half = ['default', 'euler', 'euler-a', 'dpm', 'dpm-karras', 'long'];
  const graphs = Object.fromEntries(
    ['text_encoder', 'unet', 'vae_decoder'].map((part) => [
      part,
      `tiny-sd-fp16/${part}/model.onnx`,
    ]),
  );
  for (const one of base.filter(({ name }) => half.includes(name))) {
    list.push({
      what: 'half precision',
      provider: 'cpu',
      ...of(one),
      key: 'half',
      directory: tiny(null, graphs),
      limits: HALF,
    });
  }
  for (const one of base.filter(({ name }) => webgpu && ['euler', 'dpm-karras'].includes(name))) {
    list.push({ what: 'WebGPU', provider: 'webgpu', ...of(one), limits: GPU });
  }
  return list;
}

interface Outcome {
  pictures: number;
  most: number;
  /** the largest of the pictures' means, and their sum */
  worstMean: number;
  sum: number;
  readonly limits: Picture['limits'];
}

async function measure(list: readonly Picture[]): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const keyed = new Map<string, Picture[]>();
  for (const one of list) {
    const key = `${one.provider} ${one.key}`;
    keyed.set(key, [...(keyed.get(key) ?? []), one]);
  }
  for (const group of keyed.values()) {
    const directory = await group[0]!.directory();
    const model = await loadModel(directory, { providers: [group[0]!.provider], threads: 1 });
    for (const { what, parameters, init, expected, limits } of group) {
      let latents: Parameters<typeof model.decode>[0] | undefined;
      const options = init === undefined ? {} : { init: await init() };
      for await (const step of model.generate(parameters, options)) latents = step.latents;
      const { data } = await model.decode(latents!);
      let [most, sum] = [0, 0];
      for (const [i, level] of (await expected()).entries()) {
        const difference = Math.abs(level - (data[i] ?? Number.POSITIVE_INFINITY));
        most = Math.max(most, difference);
        sum += difference;
      }
      const mean = sum / data.length;
      const known = outcomes.get(what) ?? { pictures: 0, most: 0, worstMean: 0, sum: 0, limits };
      known.pictures += 1;
      known.most = Math.max(known.most, most);
      known.worstMean = Math.max(known.worstMean, mean);
      known.sum += mean;
      outcomes.set(what, known);
    }
    await model.dispose();
    if (!directory.startsWith(ROOT)) await rm(directory, { recursive: true });
  }
  return outcomes;
}

const within = ({ most, worstMean, limits }: Outcome) =>
  most <= limits[0] && worstMean <= limits[1];

async function page(outcomes: ReadonlyMap<string, Outcome>, driver: string): Promise<string> {
  const { _diffusers_version: diffusers } = await json<Record<string, string>>(
    'models/tiny-sd/model_index.json',
  );
  const all = [...outcomes.values()];
  const rows = [...outcomes].map(
    ([what, outcome]) =>
      `| ${what} | ${outcome.pictures} | ${outcome.most} | ${outcome.worstMean.toFixed(4)} | ${(outcome.sum / outcome.pictures).toFixed(4)} | ${outcome.limits.join(', ')} | ${within(outcome) ? 'yes' : '**no**'} |`,
  );
  return [
    '# Parity on the committed pictures',
    '',
    `Written by \`node --import tsx bench/parity-fixtures.ts\`, which needs no Python: it paints again the ${all.reduce((sum, { pictures: n }) => sum + n, 0)} pictures below \`test/fixtures\` that diffusers ${diffusers} painted (torch, CPU, float32) and compares the pixels. Onnxruntime-node ${env.versions.node}, CPU unless said otherwise; WebGPU: ${driver}. More schedulers and families, painted by diffusers anew: [parity.md](parity.md).`,
    '',
    'Differences in levels of 255: the largest of any pixel, the mean of the worst picture, the mean of all.',
    '',
    '| what | pictures | largest | worst mean | mean | limits | within |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const vulkan = findVulkan();
if ('env' in vulkan && Object.keys(vulkan.env).some((name) => process.env[name] === undefined)) {
  // A library path is read when a process starts.
  const { status } = spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...vulkan.env, ...process.env },
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}
const webgpu = !('reason' in vulkan);
const outcomes = await measure(await pictures(webgpu));
const software = process.env.VK_ICD_FILENAMES?.includes('swiftshader') === true;
await writeFile(
  FILE,
  await page(
    outcomes,
    !webgpu ? `not run (${vulkan.reason})` : software ? "Chromium's SwiftShader" : vulkan.name,
  ),
);
process.stdout.write(await readFile(FILE, 'utf8'));
process.exit([...outcomes.values()].every(within) ? 0 : 1);
