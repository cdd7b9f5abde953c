// Every family's pictures, held against what diffusers paints with the same weights.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type GenerationParameters,
  loadModel,
  type Model,
  type RgbImage,
} from '../../src/pipeline/index.js';
import { assembleModel, FAMILIES } from '../support/models.js';

const CPU = { providers: ['cpu'], threads: 1 };

interface Case {
  readonly model: string;
  readonly picture: string;
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

async function folderOf(name: string): Promise<string> {
  const folder = await assembleModel(name);
  folders.push(folder);
  return folder;
}

/** loaded once for all cases */
function load(name: string): Promise<Model> {
  let model = models.get(name);
  if (model === undefined) {
    model = folderOf(name).then((folder) => loadModel(folder, CPU));
    models.set(name, model);
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
  it.each(CASES)('$model, $picture', async ({ model, picture, parameters }) => {
    const image = await paint(await load(model), parameters);
    expect([image.width, image.height]).toEqual([parameters.width, parameters.height]);
    const { most, mean } = difference(image.data, await readFile(join(EXPECTED, picture)));
    expect(most).toBeLessThanOrEqual(2);
    expect(mean).toBeLessThanOrEqual(0.01);
  });
});
