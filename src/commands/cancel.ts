// /cancel: gives up what waits or runs of yours, the newest or all or one of choice.

import { ApplicationCommandOptionType } from 'discord-api-types/v10';
import { plain } from '../discord/display.js';
import { textOnly } from '../discord/message.js';
import { textsFor } from '../discord/texts/index.js';
import { described, EVERYWHERE, named } from './data.js';
import type { SlashCommand } from './types.js';

const ALL = 'all';

export const cancel: SlashCommand = {
  data: () => ({
    ...named(['cancel', 'abbrechen', 'annuler']),
    ...described([
      'Give up pictures of yours that wait or are being painted',
      'Eigene Bilder aufgeben, die warten oder entstehen',
      'Abandonner vos images en attente ou en cours',
    ]),
    ...EVERYWHERE,
    options: [
      {
        type: ApplicationCommandOptionType.String,
        ...named(['which', 'welches', 'laquelle']),
        ...described([
          'Which one; the newest by default',
          'Welches; sonst das neueste',
          'Laquelle ; sinon la dernière',
        ]),
        autocomplete: true,
        max_length: 40,
      },
    ],
  }),

  async execute(interaction, exchange, bot) {
    const which = interaction.options.getString('which');
    const mine = bot.generations.unfinishedOf(exchange.userId);
    const chosen =
      which === ALL ? mine : which === null ? mine.slice(-1) : mine.filter((id) => id === which);
    const count = chosen.filter((id) => bot.generations.cancel(id)).length;
    const texts = textsFor(exchange.locale);
    await exchange.respond(
      textOnly(count === 0 ? texts.nothingToCancel : texts.cancelledCount(count)),
      true,
    );
  },

  async complete(interaction, exchange, bot) {
    const typed = interaction.options.getFocused().trim().toLowerCase();
    const texts = textsFor(exchange.locale);
    const mine = bot.generations.unfinishedOf(exchange.userId);
    const known = await Promise.all(mine.slice(0, 24).map((id) => bot.store.get(id)));
    const choices = known.flatMap((generation) =>
      generation === undefined
        ? []
        : [
            {
              name: plain(generation.parameters.prompt, 90) || texts.noPrompt,
              value: generation.id,
            },
          ],
    );
    if (mine.length > 1) choices.unshift({ name: texts.all, value: ALL });
    await exchange.choices(choices.filter((c) => c.name.toLowerCase().includes(typed)));
  },
};
