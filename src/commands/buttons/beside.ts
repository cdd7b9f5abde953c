// Side by side: a picture and the branches of it that show how late chance matters, in one sheet. On
// the sheet itself, where branches were missing: the same again.

import { MessageFlags } from 'discord-api-types/v10';
import { isPrivate, questionOf, showBeside } from '../beside.js';
import { askedBy } from '../source.js';
import type { ButtonFamily } from '../types.js';

export const besideButton: ButtonFamily = {
  verb: 'beside',
  async press(interaction, pressed, exchange, bot) {
    const question = await questionOf(bot, pressed, exchange.userId);
    const opener = askedBy(interaction);
    const changes =
      pressed.args[1] === 'again' && (opener === undefined || opener === exchange.userId);
    const message = changes ? interaction.message.id : undefined;
    bot.views.check(exchange.userId, message);
    const ephemeral = interaction.message.flags.has(MessageFlags.Ephemeral);
    if (changes) await exchange.deferUpdate();
    else await exchange.defer(ephemeral || isPrivate(question, exchange.userId));
    await showBeside(bot, exchange, pressed, message);
  },
};
