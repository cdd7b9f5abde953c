// Stop and Cancel on a picture that waits or is being painted. The live reply then shows the end.

import { UserError } from '../../errors.js';
import { checkManages, knownGeneration } from '../source.js';
import type { Bot, ButtonFamily } from '../types.js';

function ending(verb: string, end: (bot: Bot, id: string) => boolean): ButtonFamily {
  return {
    verb,
    async press(interaction, pressed, exchange, bot) {
      const generation = await knownGeneration(bot, pressed.generation);
      checkManages(interaction, generation.userId);
      if (!end(bot, generation.id)) {
        throw new UserError('not-running', 'This picture has already ended.');
      }
      await exchange.deferUpdate();
    },
  };
}

/** Ends after the current step, with its picture. */
export const stopButton = ending('stop', (bot, id) => bot.generations.stop(id));
/** Drops it. */
export const cancelButton = ending('cancel', (bot, id) => bot.generations.cancel(id));
