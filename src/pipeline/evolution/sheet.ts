// The contact sheet: frames beside and below each other, in one PNG.

import sharp from 'sharp';
import type { EncodedImage, EvolutionOptions, RgbImage } from '../types.js';
import { labelHeight, labelled } from './label.js';

/** px on the longer side of a whole sheet */
const SHEET = 2048;
const GAP = 4;
const INK = '#1e1f22';

/**
 * @param labels of the frames, in their order
 * @param frames at least one; all take the first one's size
 * @param feet a second number for each frame, at its bottom; absent: none has one
 * @returns undefined where it does not fit into `maxBytes`, however small
 */
export async function contactSheet(
  labels: readonly string[],
  frames: readonly RgbImage[],
  order: EvolutionOptions['order'],
  maxBytes: number,
  feet: readonly string[] = [],
): Promise<EncodedImage | undefined> {
  const { width, height } = frames[0]!;
  const columns = Math.ceil(Math.sqrt((frames.length * height) / width));
  const rows = Math.ceil(frames.length / columns);
  const longest = [...labels, ...feet].reduce((a, b) => (b.length > a.length ? b : a));
  const fit = Math.min(1, SHEET / (columns * width), SHEET / (rows * height));
  for (let scale = fit; scale > fit / 5; scale *= 0.75) {
    const tile = {
      width: Math.max(16, Math.round(width * scale)),
      height: Math.max(16, Math.round(height * scale)),
    };
    const size = {
      width: columns * (tile.width + GAP) + GAP,
      height: rows * (tile.height + GAP) + GAP,
    };
    const high = labelHeight(longest, tile, size);
    const tiles = await Promise.all(
      frames.map(async (frame, i) => {
        // In the essay's order the picture stands at the top left and chance comes last; cells that
        // are left over are at the bottom right in either.
        const cell = order === 'condensing' ? frames.length - 1 - i : i;
        return {
          input: await labelled(frame, tile, labels[i]!, high, feet[i]).toBuffer(),
          left: GAP + (cell % columns) * (tile.width + GAP),
          top: GAP + Math.floor(cell / columns) * (tile.height + GAP),
        };
      }),
    );
    const bytes = await sharp({ create: { ...size, channels: 3, background: INK } })
      .composite(tiles)
      .png()
      .toBuffer();
    if (bytes.length <= maxBytes) return { bytes, type: 'image/png', ...size };
  }
  return undefined;
}
