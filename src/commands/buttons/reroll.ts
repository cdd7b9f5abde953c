// Reroll: the picture above the button again, with other noise. Anybody may; it becomes theirs.

import { MessageFlags } from 'discord-api-types/v10';
import { parametersOf } from '../source.js';
import type { ButtonFamily } from '../types.js';
import { rerollWish } from '../wishes.js';

export const rerollButton: ButtonFamily = {
  verb: 'reroll',
  async press(interaction, pressed, exchange, bot) {
    const { parameters, generation } = await parametersOf(bot, pressed.generation, interaction);
    const ephemeral = interaction.message.flags.has(MessageFlags.Ephemeral);
    await bot.generations.begin(exchange, [rerollWish(parameters, generation)], ephemeral);
  },
};
