// Results that must not be posted: graphs that overflow, give no numbers, or give nothing but black.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { createEngine, type EngineJob, type LocalEngine } from '../../src/engine/index.js';
import { UserError } from '../../src/errors.js';
import type { KeptStep } from '../../src/pipeline/types.js';
import { saveUnet, saveVae, type VaeOptions } from '../support/onnx.js';

const MODEL = fileURLToPath(new URL('../fixtures/models/tiny-sd', import.meta.url));

const engines: LocalEngine[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
});

async function copyOfModel(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  folders.push(folder);
  await cp(MODEL, folder, { recursive: true });
  return folder;
}

function engineFor(modelDirectory: string): LocalEngine {
  const engine = createEngine({ modelDirectory, providers: ['cpu'], threads: 1 });
  engines.push(engine);
  return engine;
}

/** The tiny model with another VAE. */
async function withVae(options: VaeOptions): Promise<LocalEngine> {
  const folder = await copyOfModel();
  await saveVae(join(folder, 'vae_decoder/model.onnx'), options);
  return engineFor(folder);
}

const JOB: EngineJob = {
  id: 'sound',
  parameters: {
    prompt: 'a red fox',
    negativePrompt: '',
    seed: 5,
    steps: 6,
    guidanceScale: 1,
    width: 64,
    height: 64,
    scheduler: 'DDIM',
  },
  start: { kind: 'noise' },
  maxBytes: 8 << 20,
};

const pixelsOf = async (bytes: Uint8Array): Promise<Buffer> => sharp(bytes).raw().toBuffer();

async function failureOf(promise: Promise<unknown>): Promise<UserError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe('a VAE whose half precision overflows', () => {
  it('is decoded in single precision: the picture is that of the same VAE in fp32', async () => {
    const half = await withVae({ type: 'float16', swell: 1e8 });
    const single = await withVae({ type: 'float32', swell: 1e8 });
    const [a, b] = [(await half.run(JOB).result).image, (await single.run(JOB).result).image];
    const [first, second] = [await pixelsOf(a.bytes), await pixelsOf(b.bytes)];
    expect(first.some((level) => level > 0)).toBe(true);
    const most = first.reduce((m, level, i) => Math.max(m, Math.abs(level - second[i]!)), 0);
    expect(most).toBeLessThanOrEqual(1); // the weights themselves are rounded to halves
  });

  it('draws the steps of a picture as well', async () => {
    const engine = await withVae({ type: 'float16', swell: 1e8 });
    const kept: KeptStep[] = [];
    await engine.run(JOB, { onStep: (report) => kept.push(report) }).result;
    const { bytes } = await engine.picture(kept.at(-1)!, 'prediction', 1 << 20);
    expect((await pixelsOf(bytes)).some((level) => level > 0)).toBe(true);
  });
});

describe('a result that is none is a clear sentence instead of a picture', () => {
  it('from a VAE that gives no numbers in any precision', async () => {
    for (const type of ['float16', 'float32'] as const) {
      const engine = await withVae({ type, broken: true });
      const failure = await failureOf(engine.run(JOB).result);
      expect(failure.identifier).toBe('picture-not-finite');
      expect(failure.message).toContain('no numbers');
    }
  });

  it('from a VAE that gives nothing but black', async () => {
    const engine = await withVae({ type: 'float32', offset: -9 });
    const failure = await failureOf(engine.run(JOB).result);
    expect(failure.identifier).toBe('picture-black');
  });

  it('but black is black where it began as a black picture', async () => {
    const engine = await withVae({ type: 'float32', offset: -9 });
    const black = { create: { width: 64, height: 64, channels: 3, background: '#000' } } as const;
    const image = await sharp(black).png().toBuffer();
    const job = { ...JOB, init: { image }, parameters: { ...JOB.parameters, strength: 0.5 } };
    const { bytes } = (await engine.run(job).result).image;
    expect((await pixelsOf(bytes)).every((level) => level === 0)).toBe(true);
  });

  it('from a UNet that overflows on the way, told at that step', async () => {
    const folder = await copyOfModel();
    // No numbers below timestep 500: the first half of the steps is sound.
    await saveUnet(join(folder, 'unet/model.onnx'), { context: 32, brokenBelow: 500 });
    const engine = engineFor(folder);
    const seen: number[] = [];
    const run = engine.run(JOB, { onStep: ({ index }) => seen.push(index) });
    const failure = await failureOf(run.result);
    expect(failure.identifier).toBe('step-not-finite');
    expect(seen.length).toBeGreaterThan(0);
    expect(failure.message).toContain(`step ${seen.length + 1} of 6`);
    // The engine is none the worse.
    const stopped = engine.run({ ...JOB, parameters: { ...JOB.parameters, steps: 100 } });
    stopped.stop();
    await expect(stopped.result).resolves.toMatchObject({ stopped: true });
  });
});
