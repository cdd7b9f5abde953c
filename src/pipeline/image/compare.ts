// How much of one picture looks different in another: chance, in numbers.

import sharp from 'sharp';
import type { RgbImage } from '../types.js';

/** levels of 255 by which a channel must differ for the eye to call the pixel another */
const SEEN = 16;

/** The share of pixels, 0 to 1, that differ visibly; undefined where the sizes are not the same. */
export function changedShare(a: RgbImage, b: RgbImage): number | undefined {
  if (a.width !== b.width || a.height !== b.height) return undefined;
  const pixels = a.width * a.height;
  let changed = 0;
  for (let i = 0; i < 3 * pixels; i += 3) {
    const differs =
      Math.abs(a.data[i]! - b.data[i]!) > SEEN ||
      Math.abs(a.data[i + 1]! - b.data[i + 1]!) > SEEN ||
      Math.abs(a.data[i + 2]! - b.data[i + 2]!) > SEEN;
    if (differs) changed++;
  }
  return changed / pixels;
}

/** The pixels of a picture of ours; undefined where the file is none. */
export async function pixelsOf(file: Uint8Array): Promise<RgbImage | undefined> {
  const raw = sharp(file).removeAlpha().toColourspace('srgb').raw();
  const decoded = await raw.toBuffer({ resolveWithObject: true }).catch(() => undefined);
  if (decoded === undefined || decoded.info.channels !== 3) return undefined;
  const { data, info } = decoded;
  return { data, width: info.width, height: info.height };
}
