// The VAE's encoder: opened when it is needed, and more exact where halves overflow.

import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { loadModel, type Model } from '../../../src/pipeline/index.js';
import { saveVaeEncoder } from '../../support/onnx.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));
const PARAMETERS = {
  prompt: 'a red fox',
  negativePrompt: '',
  seed: 3,
  steps: 6,
  guidanceScale: 1,
  width: 64,
  height: 64,
  strength: 0.5,
  scheduler: 'DDIM',
} as const;

const folders: string[] = [];
const models: Model[] = [];
afterEach(async () => {
  await Promise.all(models.splice(0).map((model) => model.dispose()));
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
});

async function withEncoder(type: 'float16' | 'float32', swell: number): Promise<Model> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  folders.push(folder);
  await cp(join(FIXTURES, 'models/tiny-sd'), folder, { recursive: true });
  await saveVaeEncoder(join(folder, 'vae_encoder/model.onnx'), { type, swell });
  const model = await loadModel(folder, { providers: ['cpu'], threads: 1 });
  models.push(model);
  return model;
}

async function latents(model: Model): Promise<Float32Array> {
  const image = await readFile(join(FIXTURES, 'guide/image-64x64.png'));
  let last = new Float32Array();
  for await (const step of model.generate(PARAMETERS, { init: { image } })) {
    last = Float32Array.from(step.latents.data);
  }
  return last;
}

it('gives numbers where half precision overflows, once and again', async () => {
  const single = await latents(await withEncoder('float32', 1e8));
  const model = await withEncoder('float16', 1e8);
  const first = await latents(model);
  expect(first.every(Number.isFinite)).toBe(true);
  const most = first.reduce((far, value, i) => Math.max(far, Math.abs(value - single[i]!)), 0);
  expect(most).toBeLessThan(0.05);
  expect(await latents(model)).toEqual(first);
});

it('what no precision holds is said in one sentence', async () => {
  const model = await withEncoder('float32', 1e80);
  await expect(latents(model)).rejects.toMatchObject({
    name: 'UserError',
    identifier: 'image-not-finite',
  });
});
