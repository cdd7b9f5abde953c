// Pictures that begin from a picture somebody sent: fetched, fitted, and wished for.

import type { Exchange } from '../discord/exchange.js';
import { UserError } from '../errors.js';
import { fetchInit, type SentFile } from './attachments.js';
import { modelOf } from './engines.js';
import { type Given, parametersFor, usualSizeOfRatio } from './parameters.js';
import type { Bot } from './types.js';
import { wishesFor } from './wishes.js';

/** How much is painted anew where nobody says: as diffusers' pipelines for images and for masks. */
export const USUAL_STRENGTH = { image: 0.8, mask: 1 } as const;

export function imageMissing(): UserError {
  return new UserError(
    'image-missing',
    'A mask and a strength belong to an image to begin from: give that too.',
  );
}

/**
 * Fetches the files and paints from them, in the proportions of the image where no size is given.
 * Everything that is known to be wrong before is told before anything is fetched.
 * @throws UserError
 */
export async function paintFrom(
  bot: Bot,
  exchange: Exchange,
  files: { readonly image: SentFile; readonly mask: SentFile | null },
  given: Given,
  count: number,
  ephemeral: boolean,
): Promise<void> {
  const info = await modelOf(bot.engines, exchange, ephemeral, given.model);
  if (!info.takesImages) {
    throw new UserError(
      'no-vae-encoder',
      `The model ${info.name} cannot begin from an image: it has no VAE encoder. Choose another.`,
      { name: info.name },
    );
  }
  const usual = files.mask === null ? USUAL_STRENGTH.image : USUAL_STRENGTH.mask;
  const wanted = { ...given, strength: given.strength ?? usual };
  parametersFor(wanted, info, bot.rules);
  bot.queue.check(exchange.userId, count);
  await exchange.defer(ephemeral);
  const { init, width, height } = await fetchInit(files.image, files.mask, bot.attachmentHosts);
  const own = usualSizeOfRatio(width / height, info, bot.rules.limits);
  const size = given.size ?? `${own.width}x${own.height}`;
  const parameters = parametersFor({ ...wanted, size }, info, bot.rules);
  await bot.generations.begin(exchange, wishesFor(parameters, count, init), ephemeral);
}
