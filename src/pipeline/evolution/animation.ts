// The animation: every frame after the other, in one WebP.

import sharp from 'sharp';
import type { EncodedImage, RgbImage } from '../types.js';
import { labelHeight, labelled } from './label.js';

/** ms of the first frame, of the few after it and of the last */
const FIRST_MS = 800;
const EARLY_MS = 300;
const LAST_MS = 2000;
/** frames after the first that are shown for `EARLY_MS` */
const EARLY = 5;
/** Each frame after those is shorter than the one before it by this factor, down to `LEAST_MS`. */
const FASTER = 0.9;
const LEAST_MS = 80;

/**
 * ms that each of `count` frames is shown: nearly all that there is to see happens in the first
 * steps, so these take their time. Whole hundredths of a second, in which GIFs count.
 */
export function durations(count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (i === count - 1) return LAST_MS;
    if (i === 0) return FIRST_MS;
    const ms = EARLY_MS * FASTER ** Math.max(0, i - EARLY);
    return Math.max(LEAST_MS, 10 * Math.round(ms / 10));
  });
}

/**
 * @param labels of the frames, in their order
 * @param images of one size; at least one
 * @returns undefined where it does not fit into `maxBytes` at any quality
 */
export async function animation(
  labels: readonly string[],
  images: AsyncIterable<RgbImage>,
  maxBytes: number,
): Promise<EncodedImage | undefined> {
  const longest = labels.reduce((a, b) => (b.length > a.length ? b : a));
  const frames: Buffer[] = [];
  let size = { width: 0, height: 0 };
  for await (const image of images) {
    size = { width: image.width, height: image.height };
    const high = labelHeight(longest, size, size);
    frames.push(await labelled(image, size, labels[frames.length]!, high).toBuffer());
  }
  // One alone is not joined to anything: it is a picture that stands still.
  const [only, ...others] = frames;
  const joined = () =>
    others.length > 0 ? sharp(frames, { join: { animated: true } }) : sharp(only);
  const timing = others.length > 0 && { loop: 0, delay: durations(frames.length) };
  for (const quality of [85, 70, 50, 30]) {
    const bytes = await joined()
      .webp({ quality, effort: 3, ...timing })
      .toBuffer();
    if (bytes.length <= maxBytes) return { bytes, type: 'image/webp', ...size };
  }
  return undefined;
}
