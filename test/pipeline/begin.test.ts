// Where a branch, or a run from an image, begins in the schedule.
import { expect, it } from 'vitest';
import { type BeginOptions, begin } from '../../src/pipeline/begin.js';
import { createGenerator } from '../../src/pipeline/noise/generator.js';
import { createScheduler } from '../../src/pipeline/schedulers/index.js';
import type { GenerationParameters } from '../../src/pipeline/types.js';

const dims = [1, 4, 2, 2];
const predictedOriginal = { data: Float32Array.from({ length: 16 }, (_, i) => i / 16), dims };
const parameters: GenerationParameters = {
  prompt: '',
  negativePrompt: '',
  seed: 1,
  steps: 8,
  guidanceScale: 1,
  width: 16,
  height: 16,
};
// no image is encoded
const family = {} as BeginOptions['family'];

it.each([
  ['Heun', 6, 6],
  ['Heun', 7, 8],
  ['DPM2 a', 13, 14],
  ['Euler', 7, 7],
] as const)(
  'a branch of %s after step %d begins at call %d, between whole steps',
  async (name, fromStep, call) => {
    const { scheduler } = createScheduler({ _class_name: 'DDIMScheduler' }, 8, name);
    const start = { kind: 'branch', fromStep, predictedOriginal, seed: 5 } as const;
    const { index, x } = await begin({ family, scheduler, parameters, dims, start });
    expect(index).toBe(call);
    const noise = createGenerator('cpu', 5).randn(dims);
    expect(x).toEqual(scheduler.addNoise(predictedOriginal.data, noise, call));
  },
);

// diffusers: the inpainting pipelines raise for "number of pipeline steps is 0", image-to-image does
// not, and PNDM's call beyond its steps is left to it.
it('a strength that leaves no whole step: one call of PNDM from an image, none with a mask', async () => {
  const of = { ...parameters, strength: 0.1 };
  const { scheduler } = createScheduler(
    { _class_name: 'PNDMScheduler', skip_prk_steps: true },
    of.steps,
  );
  const latents = { data: new Float32Array(16), dims };
  const encoding = {
    parts: { inpaintChannels: 0 },
    encode: async () => latents,
  } as unknown as BeginOptions['family'];
  const image = { data: new Float32Array(3 * 64), dims: [1, 3, 8, 8] };
  const mask = { data: new Float32Array(64).fill(1), dims: [1, 1, 8, 8] };
  const options = { family: encoding, scheduler, parameters: of, dims };
  const { skipped } = await begin({ ...options, pixels: { image } });
  expect(scheduler.timesteps.length - skipped).toBe(1);
  await expect(begin({ ...options, pixels: { image, mask } })).rejects.toMatchObject({
    identifier: 'strength-too-small',
    context: { strength: 0.1, steps: 8, least: 10 },
  });
});
