// Steps: how the picture above the button came to be, in a message of its own. The owner's is seen
// by all, other people's by themselves alone.

import { checkHasSteps, checkShowable, FIRST_VIEW, showView } from '../evolution.js';
import { knownGeneration } from '../source.js';
import type { ButtonFamily } from '../types.js';

export const stepsButton: ButtonFamily = {
  verb: 'steps',
  async press(_interaction, pressed, exchange, bot) {
    const generation = await knownGeneration(bot, pressed.generation);
    checkHasSteps(generation);
    checkShowable(generation);
    bot.views.check(exchange.userId);
    await exchange.defer(generation.reply.ephemeral || generation.userId !== exchange.userId);
    await showView(bot, exchange, generation, FIRST_VIEW);
  },
};
