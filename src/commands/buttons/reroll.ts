// Reroll: the picture above the button again, with other noise. Anybody may; it becomes theirs.

import { MessageFlags } from 'discord-api-types/v10';
import { parametersOf } from '../source.js';
import type { ButtonFamily } from '../types.js';
import { rerollWish } from '../wishes.js';

export const rerollButton: ButtonFamily = {
  verb: 'reroll',
  async press(interaction, pressed, exchange, bot) {
    const ephemeral = interaction.message.flags.has(MessageFlags.Ephemeral);
    // What is known by its file alone is fetched and read first, which takes what it takes.
    if ((await bot.store.get(pressed.generation)) === undefined) await exchange.defer(ephemeral);
    const { parameters, generation } = await parametersOf(bot, pressed.generation, interaction);
    await bot.generations.begin(exchange, [rerollWish(parameters, generation)], ephemeral);
  },
};
