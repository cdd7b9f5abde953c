// What people get to see of a model that brings a safety checker. The result is checked before it is
// encoded; pictures on the way there cannot be (a checker knows finished pictures, and takes longer
// than a step), so they are veiled: their colours can be seen forming, not what they show.

import sharp from 'sharp';
import { UserError } from '../errors.js';
import type { Model } from '../pipeline/index.js';
import type { RgbImage } from '../pipeline/types.js';
import type { Safety } from './settings.js';

/** Colours that are left of a veiled picture's longer side. */
const VEILED = 10;

/** A picture as it may be shown. */
export interface Shown {
  readonly image: RgbImage;
  /** the checker found something in it, and it was veiled */
  readonly flagged: boolean;
}

/** Whether the pictures of a model are checked. */
export async function isWatched(model: Model, safety: Safety): Promise<boolean> {
  return safety !== 'off' && (await model.hasSafetyChecker());
}

/**
 * A finished picture as it may be shown.
 * @throws UserError 'picture-unsafe' when it may not; naming the checker's file when that is damaged
 */
export async function checked(model: Model, image: RgbImage, safety: Safety): Promise<Shown> {
  if (!(await isWatched(model, safety)) || !(await model.checkSafety(image))) {
    return { image, flagged: false };
  }
  if (safety === 'refuse') {
    throw new UserError(
      'picture-unsafe',
      'The safety checker of this model found something in this picture; it is not shown.',
    );
  }
  return { image: await veil(image), flagged: true };
}

/** The same size, with a handful of colours left: nothing that could be sharpened again. */
export async function veil({ data, width, height }: RgbImage): Promise<RgbImage> {
  const scale = VEILED / Math.max(width, height);
  const few = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({
      width: Math.max(1, Math.round(width * scale)),
      height: Math.max(1, Math.round(height * scale)),
      fit: 'fill',
    })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width: columns, height: rows } = few.info;
  const veiled = await sharp(few.data, { raw: { width: columns, height: rows, channels: 3 } })
    .resize({ width, height, fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
  return { data: new Uint8Array(veiled), width, height };
}
