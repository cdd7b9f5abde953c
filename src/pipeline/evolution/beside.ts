// Finished pictures beside each other in one sheet, each with its numbers.

import { UserError } from '../../errors.js';
import { pixelsOf } from '../image/compare.js';
import type { EncodedImage, LabelledPicture } from '../types.js';
import { contactSheet } from './sheet.js';

/**
 * @param pictures in the order in which one reads, of the same proportions; at least one
 * @throws UserError when the sheet cannot be made to fit into `maxBytes`
 */
export async function sideBySide(
  pictures: readonly LabelledPicture[],
  maxBytes: number,
): Promise<EncodedImage> {
  const frames = await Promise.all(
    pictures.map(async ({ file }) => {
      const pixels = await pixelsOf(file);
      if (pixels === undefined) throw new Error('Expected pictures of ours, got another file');
      return pixels;
    }),
  );
  const labels = pictures.map(({ label }) => label);
  const feet = pictures.map(({ foot }) => foot);
  const sheet = await contactSheet(labels, frames, 'reading', maxBytes, feet);
  if (sheet !== undefined) return sheet;
  throw new UserError(
    'evolution-too-large',
    `These pictures do not fit into the ${maxBytes} bytes that may be sent here.`,
    { maxBytes },
  );
}
