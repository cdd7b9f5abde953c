// How much of a picture looks different: counted by eye on pictures small enough for that.

import sharp from 'sharp';
import { expect, test } from 'vitest';
import { changedShare, pixelsOf } from '../../../src/pipeline/image/compare.js';

const picture = (pixels: readonly (readonly [number, number, number])[], width: number) => ({
  data: Uint8Array.from(pixels.flat()),
  width,
  height: pixels.length / width,
});
const GREY = [100, 100, 100] as const;

test('a pixel counts once one of its channels is visibly another, in either direction', () => {
  const before = picture([GREY, GREY, GREY, GREY], 2);
  const after = picture(
    [
      [116, 84, 100],
      [100, 100, 117],
      [83, 100, 100],
      [0, 255, 0],
    ],
    2,
  );
  expect(changedShare(before, before)).toBe(0);
  expect(changedShare(before, after)).toBe(0.75);
  expect(changedShare(after, before)).toBe(0.75);
});

test('pictures of different sizes are not compared', () => {
  expect(changedShare(picture([GREY, GREY], 2), picture([GREY, GREY], 1))).toBeUndefined();
});

test('the pixels of a file are those it was made of; what is no picture has none', async () => {
  const image = picture([GREY, [1, 2, 3], [255, 0, 9], GREY], 2);
  const raw = { width: 2, height: 2, channels: 3 } as const;
  const png = await sharp(image.data, { raw }).ensureAlpha().png().toBuffer();
  const read = await pixelsOf(png);
  expect(read).toMatchObject({ width: 2, height: 2 });
  expect([...(read?.data ?? [])]).toEqual([...image.data]);
  expect(await pixelsOf(png.subarray(0, 20))).toBeUndefined();
});
