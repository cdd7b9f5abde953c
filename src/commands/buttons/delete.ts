// Delete: takes the message away and forgets the picture with its steps.

import { askedBy, checkManages } from '../source.js';
import type { ButtonFamily } from '../types.js';

export const deleteButton: ButtonFamily = {
  verb: 'delete',
  async press(interaction, pressed, exchange, bot) {
    const generation = await bot.store.get(pressed.generation);
    checkManages(interaction, generation?.userId ?? askedBy(interaction));
    await exchange.deferUpdate();
    await exchange.deleteReply();
    if (generation !== undefined) await bot.store.remove(generation.id);
  },
};
