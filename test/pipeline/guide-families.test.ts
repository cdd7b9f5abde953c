// Init images, masks and clip skip in the other families, against what diffusers paints with the same weights
// (test/fixtures/guide/make_families.py).

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type GenerationParameters,
  type InitImage,
  loadModel,
  type Model,
} from '../../src/pipeline/index.js';
import { assembleModel } from '../support/models.js';

const GUIDE = fileURLToPath(new URL('../fixtures/guide', import.meta.url));

interface Case {
  readonly model: string;
  readonly picture: string;
  readonly masked: boolean;
  readonly parameters: GenerationParameters;
}
const CASES = JSON.parse(
  await readFile(join(GUIDE, 'families/cases.json'), 'utf8'),
) as readonly Case[];

const folders: string[] = [];
const models = new Map<string, Promise<Model>>();
afterAll(async () => {
  for (const model of models.values()) await (await model).dispose();
  for (const folder of folders) await rm(folder, { recursive: true });
});

/** loaded once for all cases */
function load(name: string): Promise<Model> {
  let model = models.get(name);
  if (model === undefined) {
    model = assembleModel(name).then((folder) => {
      folders.push(folder);
      return loadModel(folder, { providers: ['cpu'], threads: 1 });
    });
    models.set(name, model);
  }
  return model;
}

async function initOf({ masked, parameters }: Case): Promise<InitImage | undefined> {
  const { width, height, strength } = parameters;
  if (strength === undefined) return undefined;
  const file = (what: string) => readFile(join(GUIDE, `${what}-${width}x${height}.png`));
  return { image: await file('image'), ...(masked && { mask: await file('mask') }) };
}

describe('a picture equals the one by diffusers', () => {
  const what = ({ masked, parameters }: Case) =>
    masked ? 'masked' : parameters.strength === undefined ? 'clip skip' : 'image';
  it.each(CASES.map((one) => [one.model, what(one), one] as const))(
    '%s, %s',
    async (name, _, one) => {
      const model = await load(name);
      let latents: Parameters<Model['decode']>[0] | undefined;
      const init = await initOf(one);
      for await (const step of model.generate(one.parameters, init && { init }))
        latents = step.latents;
      const { data } = await model.decode(latents!);
      const expected = await readFile(join(GUIDE, 'families', one.picture));
      expect(data.length).toBe(expected.length);
      let [most, sum] = [0, 0];
      for (let i = 0; i < data.length; i++) {
        const d = Math.abs(data[i]! - expected[i]!);
        most = Math.max(most, d);
        sum += d;
      }
      expect(most).toBeLessThanOrEqual(2);
      expect(sum / data.length).toBeLessThanOrEqual(0.01);
    },
  );
});

it('LCM says how many steps a small strength leaves', async () => {
  const one = CASES.find(({ model }) => model === 'lcm')!;
  const parameters = { ...one.parameters, strength: 0.1, steps: 8 };
  const run = (await load('lcm')).generate(parameters, { init: (await initOf(one))! });
  await expect(run.next()).rejects.toMatchObject({
    identifier: 'steps-for-strength',
    message: expect.stringContaining('at most 5 steps'),
  });
});
