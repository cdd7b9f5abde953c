// Results that must not be posted: graphs that overflow, give no numbers, or give nothing but black.

import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { LocalEngine } from '../../src/engine/index.js';
import { UserError } from '../../src/errors.js';
import type { KeptStep } from '../../src/pipeline/types.js';
import { copyOfModel, engineJob, engineWith } from '../support/engine.js';
import { saveUnet, saveVae, type VaeOptions } from '../support/onnx.js';

/** The tiny model with another VAE. */
async function withVae(options: VaeOptions): Promise<LocalEngine> {
  const folder = await copyOfModel();
  await saveVae(join(folder, 'vae_decoder/model.onnx'), options);
  return engineWith({ modelDirectory: folder });
}

const JOB = engineJob({ steps: 6 });

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
    const engine = engineWith({ modelDirectory: folder });
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
