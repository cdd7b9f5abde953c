// "Reroll", in a message's menu: a picture again with other noise, whoever painted it, as long as the
// bot knows it or its file tells how it was made (as this bot's, A1111's and their relatives' do).

import { ApplicationCommandType, MessageFlags } from 'discord-api-types/v10';
import { UserError } from '../../errors.js';
import { sentFile } from '../attachments.js';
import { EVERYWHERE, named } from '../data.js';
import { generationIn, parametersIn, unknownGeneration } from '../source.js';
import type { MessageCommand } from '../types.js';
import { rerollWish } from '../wishes.js';
import { firstPicture } from './picture.js';

export const rerollMessage: MessageCommand = {
  data: {
    type: ApplicationCommandType.Message,
    ...named(['Reroll', 'Neu würfeln', 'Relancer']),
    ...EVERYWHERE,
  },

  async execute(interaction, exchange, bot) {
    const message = interaction.targetMessage;
    const ephemeral = message.flags.has(MessageFlags.Ephemeral);
    const id = generationIn(message);
    const known =
      (id === undefined ? undefined : await bot.store.get(id)) ??
      (await bot.store.byMessage(message.id));
    if (known !== undefined) {
      await bot.generations.begin(exchange, [rerollWish(known.parameters, known)], ephemeral);
      return;
    }
    const file = firstPicture(message);
    // Whoever may not queue another one has nothing fetched.
    bot.queue.check(exchange.userId, 1);
    await exchange.defer(ephemeral);
    const parameters = await parametersIn(bot, sentFile(file));
    if (parameters === undefined && id !== undefined) throw unknownGeneration();
    if (parameters === undefined) {
      throw new UserError(
        'no-parameters',
        'The file of this picture does not tell how it was made; paint from it with "Use as init image".',
      );
    }
    await bot.generations.begin(exchange, [rerollWish(parameters, undefined)], ephemeral);
  },
};
