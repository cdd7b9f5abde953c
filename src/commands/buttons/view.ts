// The buttons and the select of a /steps message: another view of the same steps. Whoever opened the
// message changes it; others get their view privately.

import { readView, showView, type View } from '../evolution.js';
import { askedBy, knownGeneration } from '../source.js';
import type { ButtonFamily } from '../types.js';

export const viewButtons: ButtonFamily = {
  verb: 'view',
  async press(interaction, pressed, exchange, bot) {
    let view: View = readView(pressed.args);
    if (interaction.isStringSelectMenu()) {
      view = readView([
        pressed.args[0] ?? '',
        interaction.values[0] ?? '',
        ...pressed.args.slice(2),
      ]);
    }
    const generation = await knownGeneration(bot, pressed.generation);
    const opener = askedBy(interaction);
    if (opener === undefined || opener === exchange.userId) await exchange.deferUpdate();
    else await exchange.defer(true);
    await showView(bot, exchange, generation, view);
  },
};
