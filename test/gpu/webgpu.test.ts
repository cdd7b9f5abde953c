// WebGPU through onnxruntime-node's own build: the same picture as the CPU's, through the pipeline,
// through an engine process, and by the command line. On SwiftShader where there is no GPU.

import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FLOAT, GraphBuilder } from '../../bench/support/onnx.js';
import { createEngine } from '../../src/engine/index.js';
import { type GenerationParameters, loadModel, type Model } from '../../src/pipeline/index.js';
import { openGraph } from '../../src/pipeline/session.js';
import type { FloatTensor } from '../../src/pipeline/types.js';
import { makeNano } from './nano.js';

const TINY = fileURLToPath(new URL('../fixtures/models/tiny-sd', import.meta.url));
const YLEM = fileURLToPath(new URL('../../bin/ylem.js', import.meta.url));
const THREADS = 1;

const why = process.env.YLEM_TEST_NO_WEBGPU;
if (why !== undefined) it.skip(`not run: ${why}`, () => {});

describe.skipIf(why !== undefined)('on WebGPU', { timeout: 480_000 }, () => {
  let folder: string;
  const models: Model[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ylem-gpu-'));
    await makeNano(join(folder, 'nano'), 'fp32');
    await makeNano(join(folder, 'nano-fp16'), 'fp16');
    await cp(TINY, join(folder, 'tiny'), { recursive: true });
    // Without it a decode at load would find out what a preview costs: here, many seconds.
    const rows = Array.from({ length: 4 }, () => [0.2, 0.3, 0.4]);
    await writeFile(
      join(folder, 'tiny/preview.json'),
      JSON.stringify({ latent_rgb_factors: rows }),
    );
  }, 60_000);
  afterAll(async () => {
    await Promise.all(models.map((model) => model.dispose()));
    await rm(folder, { recursive: true });
  });

  const load = async (name: string, ...providers: string[]) => {
    const model = await loadModel(join(folder, name), { providers, threads: THREADS });
    models.push(model);
    return model;
  };

  it('a real UNet, text encoder and VAE paint as on the CPU, whatever the scheduler', async () => {
    const [cpu, gpu] = [await load('tiny', 'cpu'), await load('tiny', 'webgpu')];
    expect(gpu.info).toMatchObject({ provider: 'webgpu', providersTried: [], precision: 'fp32' });
    for (const parameters of [
      { ...PARAMETERS, steps: 3, guidanceScale: 1, scheduler: 'DPM++ 2M' },
      { ...PARAMETERS, steps: 3, guidanceScale: 5, scheduler: 'Euler a' },
      { ...PARAMETERS, steps: 2, guidanceScale: 7.5, scheduler: 'DDIM', seed: 2 ** 32 - 1 },
    ] as const) {
      const [expected, latents] = [await last(cpu, parameters), await last(gpu, parameters)];
      // Both by the CPU's VAE: what differs is the UNet's and the text encoder's.
      expectSame((await cpu.decode(latents)).data, (await cpu.decode(expected)).data);
      if (parameters.scheduler === 'DDIM')
        expectSame((await gpu.decode(latents)).data, (await cpu.decode(expected)).data);
    }
  });

  it('an engine process paints there what it paints on the CPU', async () => {
    const pictures = await Promise.all(
      ['cpu', 'webgpu'].map(async (provider) => {
        const engine = createEngine({
          modelDirectory: join(folder, 'nano'),
          providers: [provider],
          threads: THREADS,
        });
        try {
          expect((await engine.ready).provider).toBe(provider);
          const run = engine.run({
            id: provider,
            parameters: PARAMETERS,
            start: { kind: 'noise' },
            maxBytes: 8 << 20,
          });
          const { image, infotext } = await run.result;
          expect(infotext).toContain('Seed: 42');
          return sharp(image.bytes).removeAlpha().raw().toBuffer();
        } finally {
          await engine.close();
        }
      }),
    );
    expectSame(pictures[1]!, pictures[0]!);
    expect(new Set(pictures[0]).size).toBeGreaterThan(16);
  });

  it('`ylem imagine` paints there where YLEM_PROVIDERS says so', async () => {
    const pixels = async (provider: string) => {
      const out = join(folder, `${provider}.png`);
      const child = spawn(
        process.execPath,
        [YLEM, 'imagine', 'a red fox', '--model', join(folder, 'nano'), '--out', out].concat(
          ...['--seed', '7', '--steps', '4', '--width', '64', '--height', '64', '--json'],
        ),
        {
          cwd: folder,
          env: { ...process.env, YLEM_PROVIDERS: provider, YLEM_THREADS: '1' },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const ended = new Promise((resolve) => child.on('close', resolve));
      const printed = await text(child.stdout);
      expect(await ended).toBe(0);
      expect(JSON.parse(printed)).toMatchObject({ seed: 7 });
      return sharp(await readFile(out))
        .removeAlpha()
        .raw()
        .toBuffer();
    };
    expectSame(await pixels('webgpu'), await pixels('cpu'));
  });

  it('an fp16 model runs there, or the reason is told', async () => {
    const cpu = await load('nano-fp16', 'cpu');
    const model = await load('nano-fp16', 'webgpu').catch((error: unknown) => error as Error);
    if (model instanceof Error) {
      // SwiftShader computes in 32 bits only.
      expect(model.message).toMatch(
        /^The model cannot run here: webgpu: [^;]*half precision[^;]*$/,
      );
      return;
    }
    expect(model.info).toMatchObject({ provider: 'webgpu', precision: 'fp16' });
    const [one, two] = [await last(cpu, PARAMETERS), await last(model, PARAMETERS)];
    expectSame((await cpu.decode(two)).data, (await cpu.decode(one)).data, 8, 1);
  });

  it('a driver without a GPU behind it is passed over where the CPU may be taken', async () => {
    const { info } = await load('nano', 'webgpu', 'cpu');
    const software = process.env.VK_ICD_FILENAMES?.includes('swiftshader') === true;
    expect(info.provider).toBe(software ? 'cpu' : 'webgpu');
    expect(info.providersTried).toEqual(
      software
        ? [{ name: 'webgpu', kind: 'other', reason: expect.stringMatching(/\d+ times as slow/) }]
        : [],
    );
  });

  it('a tensor that the device has no room for is told as such, and the next call succeeds', async () => {
    const g = new GraphBuilder();
    const outer = g.node('MatMul', [
      g.input('column', FLOAT, ['n', 1]),
      g.input('row', FLOAT, [1, 'n']),
    ]);
    g.output('out', g.node('ReduceMean', [outer]), [1, 1]);
    await g.save(join(folder, 'outer.onnx'));
    const graph = await openGraph(folder, join(folder, 'outer.onnx'), {
      provider: 'webgpu',
      threads: THREADS,
    });
    const mean = (n: number) => {
      const ones = new Float32Array(n).fill(1);
      return graph.run({
        column: graph.feed('column', ones, [n, 1]),
        row: graph.feed('row', ones, [1, n]),
      });
    };
    // 6 GB (more than a buffer may hold), then 3.6 TB
    for (const n of [40_000, 950_000]) {
      await expect(mean(n)).rejects.toMatchObject({
        identifier: 'out-of-memory',
        message:
          'The picture does not fit into the memory of the GPU (webgpu); ask for a smaller one.',
      });
    }
    expect((await mean(64)).out!.data[0]).toBe(1);
    await graph.release();
  });
});

const PARAMETERS: GenerationParameters = {
  prompt: 'a red fox on a meadow',
  negativePrompt: 'round',
  seed: 42,
  steps: 8,
  guidanceScale: 5,
  width: 64,
  height: 64,
  scheduler: 'Euler a',
};

async function last(model: Model, parameters: GenerationParameters): Promise<FloatTensor> {
  let latents: FloatTensor | undefined;
  for await (const step of model.generate(parameters)) latents = step.latents;
  return latents!;
}

/** Within 2 levels everywhere and 0.05 on average, unless more is allowed. */
function expectSame(a: Uint8Array, b: Uint8Array, most = 2, mean = 0.05): void {
  expect(a.length).toBe(b.length);
  const differences = a.map((value, i) => Math.abs(value - b[i]!));
  expect(Math.max(...differences)).toBeLessThanOrEqual(most);
  expect(differences.reduce((x, y) => x + y, 0) / a.length).toBeLessThanOrEqual(mean);
}
