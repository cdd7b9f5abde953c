// The buttons and the select of a /steps message: another view of the same steps. Whoever opened the
// message changes it; others get their view privately.

import { readView, showView, withChoice } from '../evolution.js';
import { askedBy, knownGeneration } from '../source.js';
import type { ButtonFamily } from '../types.js';

export const viewButtons: ButtonFamily = {
  verb: 'view',
  async press(interaction, pressed, exchange, bot) {
    const seen = readView(pressed.args);
    const chosen = interaction.isStringSelectMenu() ? interaction.values[0] : undefined;
    const view = chosen === undefined ? seen : withChoice(seen, chosen);
    const generation = await knownGeneration(bot, pressed.generation);
    const opener = askedBy(interaction);
    const changes = opener === undefined || opener === exchange.userId;
    // Several presses in a row: the last one alone need be drawn.
    const message = changes ? interaction.message.id : undefined;
    bot.views.check(exchange.userId, message);
    if (changes) await exchange.deferUpdate();
    else await exchange.defer(true);
    await showView(bot, exchange, generation, view, message);
  },
};
