// What an engine process opens once it has started. (In a file of its own: it holds for the process.)

import sharp, { type Sharp } from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { changePlot } from '../../../src/pipeline/evolution/plot.js';
import { blockOtherLoaders } from '../../../src/pipeline/image/loaders.js';
import { readInit } from '../../../src/pipeline/image/read.js';

const made = () =>
  sharp({ create: { width: 64, height: 64, channels: 3, background: { r: 10, g: 20, b: 30 } } });
const others = new Map<string, Buffer>();
beforeAll(async () => {
  others.set('TIFF', await made().tiff().toBuffer());
  others.set('AVIF', await made().avif().toBuffer());
  blockOtherLoaders();
});

it.each(['TIFF', 'AVIF'])('no %s', async (name) => {
  await expect(sharp(others.get(name)).metadata()).rejects.toThrow('unsupported image format');
});

it.each(['png', 'jpeg', 'webp', 'gif'] as const)('a %s that somebody sent', async (type) => {
  const image = await made().toFormat(type).toBuffer();
  expect((await readInit({ image, mask: image }, 64, 64)).image.dims).toEqual([1, 3, 64, 64]);
});

it('a photograph with a gain map, as the photograph that it is', async () => {
  // Its types do not know it yet.
  const bright = made().pipelineColourspace('scrgb') as Sharp & { withGainMap(): Sharp };
  const image = await bright.withGainMap().jpeg().toBuffer();
  expect((await readInit({ image }, 64, 64)).image.dims).toEqual([1, 3, 64, 64]);
});

it('the plots that it draws itself', async () => {
  const plot = await changePlot([{ index: 0, change: 0.5 }]);
  expect((await sharp(plot.bytes).metadata()).format).toBe('png');
});
