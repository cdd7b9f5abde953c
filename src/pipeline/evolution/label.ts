// A frame of a sheet or an animation with its numbers: at the top left, such as that of its step, and
// where there is a second one at the bottom left.

import sharp, { type Sharp } from 'sharp';
import { digits, digitsWidth } from '../image/digits.js';
import type { RgbImage } from '../types.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * px that the numbers of all frames are high. Chat shows a file of any size some 400 px wide, so
 * they are a share of the whole file as well as of a frame: 12 px then, however many frames it has.
 * They leave most of a small or narrow frame free.
 *
 * @param longest the longest of the numbers
 * @param frame px of each frame as it is in the file
 * @param file px of the whole file
 */
export function labelHeight(longest: string, frame: Size, file: Size): number {
  const seen = Math.max(12, frame.height / 14, Math.max(file.width, file.height) / 32);
  const narrow = (0.6 * frame.width) / digitsWidth(longest, 1);
  return Math.max(1, Math.round(Math.min(seen, frame.height / 3, narrow)));
}

/**
 * The image in another size, with its numbers, `height` px high.
 * @param text at the top left; nothing where it is empty
 * @param foot at the bottom left, likewise
 */
export function labelled(
  image: RgbImage,
  size: Size,
  text: string,
  height: number,
  foot = '',
): Sharp {
  const at = Math.round(height / 8);
  const { width, height: h } = size;
  const numbers = [
    { text, top: at },
    { text: foot, top: Math.max(0, h - height - at) },
  ].filter((number) => number.text !== '');
  return sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .resize({ width, height: h, fit: 'fill' })
    .composite(
      numbers.map((number) => ({
        input: Buffer.from(digits(number.text, height)),
        left: at,
        top: number.top,
      })),
    )
    .removeAlpha()
    .png({ compressionLevel: 1 });
}
