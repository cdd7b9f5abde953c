// /reroll: the newest picture of yours again, with other noise.

import { UserError } from '../errors.js';
import { described, EVERYWHERE, named } from './data.js';
import type { SlashCommand } from './types.js';
import { rerollWish } from './wishes.js';

export function nothingPainted(): UserError {
  return new UserError('nothing-painted', 'You have painted nothing yet; begin with /imagine.');
}

export const reroll: SlashCommand = {
  data: () => ({
    ...named(['reroll', 'neuwürfeln', 'relancer']),
    ...described([
      'Your newest picture again, from other noise',
      'Dein neuestes Bild noch einmal, aus anderem Rauschen',
      'Votre dernière image à nouveau, à partir d’un autre bruit',
    ]),
    ...EVERYWHERE,
  }),

  async execute(_interaction, exchange, bot) {
    const [newest] = await bot.store.latest(exchange.userId, 1);
    if (newest === undefined) throw nothingPainted();
    await bot.generations.begin(
      exchange,
      [rerollWish(newest.parameters, newest)],
      newest.reply.ephemeral,
    );
  },
};
