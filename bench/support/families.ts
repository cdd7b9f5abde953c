// A model of each family with random weights, written on the spot: tokenizers, text encoders and VAE
// are those of the tests' small models, the UNet or transformer is one in which a call takes time.
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assembleModel, FAMILIES as FIXTURES } from '../../test/support/models.js';
import { makeTransformer } from './transformer.js';
import { makeUNet } from './unet.js';

/** px per side of the pictures; latents have a quarter of that */
export const SIDE = 256;
const LATENTS = SIDE / 4;

const UNET = { widths: [64, 128], depths: [0, 1], middle: 1, heads: { count: 4 } } as const;
const TRANSFORMER = { width: 192, depth: 6, heads: 4, channels: 8, context: 32 } as const;

export interface BenchFamily {
  readonly name: string;
  /** the small model below test/fixtures/families that it is made from */
  readonly from: string;
  readonly guidanceScale: number;
  /** writes the graph into a directory */
  readonly denoiser: (directory: string) => Promise<unknown>;
}

export const BENCH_FAMILIES: readonly BenchFamily[] = [
  {
    name: 'sd',
    from: 'sd2',
    guidanceScale: 7.5,
    denoiser: (directory) => makeUNet(directory, { ...UNET, context: 12 }, 'fp32'),
  },
  {
    name: 'sdxl',
    from: 'sdxl',
    guidanceScale: 5,
    denoiser: (directory) => makeUNet(directory, { ...UNET, context: 28, pooled: 10 }, 'fp32'),
  },
  {
    name: 'lcm',
    from: 'lcm',
    guidanceScale: 8.5,
    denoiser: (directory) => makeUNet(directory, { ...UNET, context: 12, guidance: 16 }, 'fp32'),
  },
  {
    name: 'sd3',
    from: 'sd3',
    guidanceScale: 7,
    denoiser: (directory) =>
      makeTransformer(directory, { ...TRANSFORMER, kind: 'sd3', pooled: 18 }),
  },
  {
    name: 'flux',
    from: 'flux',
    guidanceScale: 3.5,
    denoiser: (directory) =>
      makeTransformer(directory, { ...TRANSFORMER, kind: 'flux', pooled: 12 }),
  },
];

/** @returns the directory, below the system's temporary one; the caller removes it */
export async function makeFamily({ from, denoiser }: BenchFamily): Promise<string> {
  const directory = await assembleModel(from);
  const [part] = (await readdir(directory)).filter((name) => /^(unet|transformer)$/.test(name));
  await rm(join(directory, part!, 'model.onnx'));
  await denoiser(directory);
  await edit(join(directory, part!, 'config.json'), (config) => ({
    ...config,
    ...(part === 'unet' && { sample_size: LATENTS }),
    ...(config.pos_embed_max_size !== undefined && {
      pos_embed_max_size: LATENTS,
      sample_size: LATENTS,
    }),
  }));
  // Optimum wants the VAE's configuration beside each of its graphs, and the tokenizers' quick classes
  // where a directory has tokenizer.json alone.
  for (const half of ['vae_decoder', 'vae_encoder']) {
    await cp(join(FIXTURES, from, 'vae', 'config.json'), join(directory, half, 'config.json'));
  }
  for (const folder of await readdir(directory)) {
    if (!folder.startsWith('tokenizer')) continue;
    // transformers 5 wrote these names as a list, which transformers 4 (Optimum's) reads elsewhere.
    await edit(join(directory, folder, 'tokenizer_config.json'), (config) => {
      const { extra_special_tokens: names, ...rest } = config;
      return Array.isArray(names) ? { ...rest, additional_special_tokens: names } : config;
    });
  }
  await edit(join(directory, 'model_index.json'), (index) =>
    Object.fromEntries(
      Object.entries(index).map(([key, value]) => [
        key,
        key.startsWith('tokenizer') && Array.isArray(value) && value[1] !== null
          ? [value[0], `${String(value[1])}Fast`]
          : value,
      ]),
    ),
  );
  return directory;
}

async function edit(
  path: string,
  change: (content: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const content = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(change(content), null, 2));
}
