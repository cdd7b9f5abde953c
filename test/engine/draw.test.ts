// Which pictures of an evolution are decoded and which are drawn the quick way.

import { expect, test } from 'vitest';
import { type Drawer, decodedFrames, drawWith } from '../../src/engine/draw.js';
import { toHalf } from '../../src/pipeline/fp16.js';
import type { EvolutionOptions, KeptStep, ModelInfo, RgbImage } from '../../src/pipeline/types.js';

/** Tells the two ways apart: pictures of one brightness. */
const DECODED = 200;
const QUICK = 100;

const flat = (level: number, side: number): RgbImage => ({
  data: new Uint8Array(side * side * 3).fill(level),
  width: side,
  height: side,
});

/** A model whose decodings take so many ms each; `timed` false: it has decoded nothing yet. */
function drawer(ms: number, timed = true) {
  let known = timed;
  let decoded = 0;
  const model: Drawer = {
    info: { vaeScale: 8 } as ModelInfo,
    decode: async () => {
      known = true;
      decoded++;
      return flat(DECODED, 16);
    },
    decodeMs: () => (known ? ms : undefined),
    preview: async () => flat(QUICK, 2),
  };
  return { model, decoded: () => decoded };
}

const STEPS: KeptStep[] = Array.from({ length: 20 }, (_, i) => ({
  index: i + 1,
  total: 20,
  timestep: 19 - i,
  dims: [1, 2, 2],
  latents: toHalf(new Float32Array(4)),
  predictedOriginal: toHalf(new Float32Array(4)),
}));

/** How each of the frames is drawn, the last one last. */
async function drawn(model: Drawer, options: Partial<EvolutionOptions> = {}): Promise<number[]> {
  const asked = { kind: 'sheet', frames: 8, show: 'prediction', ...options } as const;
  const draw = drawWith(model, await decodedFrames(model, STEPS, asked));
  const latents = { data: new Float32Array(4), dims: [1, 1, 2, 2] };
  const levels: number[] = [];
  for (const isLast of [false, false, true]) {
    const { data, width } = await draw(latents, isLast);
    expect(width).toBe(16);
    levels.push(data[0]!);
  }
  return levels;
}

test('where there is time for it every frame is decoded', async () => {
  expect(await drawn(drawer(1000).model)).toEqual([DECODED, DECODED, DECODED]);
});

test('where there is none for all of them, the last one, which is the picture, still is', async () => {
  expect(await drawn(drawer(1001).model)).toEqual([QUICK, QUICK, DECODED]);
  // An animation shows every step, a sheet the frames that were asked for.
  expect(await drawn(drawer(1000).model, { kind: 'animation' })).toEqual([QUICK, QUICK, DECODED]);
});

test('where a single one takes too long, none is', async () => {
  expect(await drawn(drawer(8001).model)).toEqual([QUICK, QUICK, QUICK]);
});

test('what was never timed is decoded once to learn what it costs', async () => {
  const { model, decoded } = drawer(9000, false);
  expect(await drawn(model)).toEqual([QUICK, QUICK, QUICK]);
  expect(decoded()).toBe(1);
});

test('a plot of changes decodes nothing', async () => {
  const { model, decoded } = drawer(1, false);
  expect(await drawn(model, { kind: 'changes' })).toEqual([QUICK, QUICK, QUICK]);
  expect(decoded()).toBe(0);
});
