// The embedded model paints what diffusers paints with the same weights and seed.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FloatTensor, loadModel, type Model } from '../../src/pipeline/index.js';

interface Case {
  readonly name: string;
  readonly prompt: string;
  readonly negative: string;
  readonly seed: number;
  readonly steps: number;
  readonly guidance: number;
  readonly width: number;
  readonly height: number;
  readonly file: string;
}

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const cases = JSON.parse(
  await readFile(path('test/fixtures/hydrogen/cases.json'), 'utf8'),
) as readonly Case[];

describe('the embedded model', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(path('models/hydrogen'), { threads: 1 });
  });
  afterAll(() => model.dispose());

  test.each(cases)('paints $name as diffusers does, within 2 levels', async (wanted) => {
    let latents: FloatTensor = { data: new Float32Array(), dims: [0] };
    const parameters = {
      prompt: wanted.prompt,
      negativePrompt: wanted.negative,
      seed: wanted.seed,
      steps: wanted.steps,
      guidanceScale: wanted.guidance,
      width: wanted.width,
      height: wanted.height,
    };
    for await (const step of model.generate(parameters)) latents = step.latents;
    const image = await model.decode(latents);
    const expected = await sharp(path(`test/fixtures/hydrogen/${wanted.file}`))
      .removeAlpha()
      .raw()
      .toBuffer();
    expect(image.data.length).toBe(expected.length);
    let most = 0;
    for (const [i, level] of expected.entries())
      most = Math.max(most, Math.abs(level - image.data[i]!));
    expect(most).toBeLessThanOrEqual(2);
  });
});
