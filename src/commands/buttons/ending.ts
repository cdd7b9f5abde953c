// Stop and Cancel on a picture that waits or is being painted: the live reply then shows the end. And
// Keep, on a private one that takes long. Any press gives a fresh token for the reply.

import { UserError } from '../../errors.js';
import { checkManages, knownGeneration } from '../source.js';
import type { Bot, ButtonFamily } from '../types.js';

function ending(verb: string, end: (bot: Bot, id: string) => boolean): ButtonFamily {
  return {
    verb,
    async press(interaction, pressed, exchange, bot) {
      const generation = await knownGeneration(bot, pressed.generation);
      checkManages(interaction, generation.userId);
      await exchange.deferUpdate();
      bot.generations.renew(generation.id, exchange, interaction.message.id);
      if (!end(bot, generation.id)) {
        // A message that was left behind, such as one whose making was never confirmed.
        const { messageId } = generation.reply;
        const known =
          generation.state !== 'queued' && generation.state !== 'running' && generation.delivered;
        if (known && messageId !== null && messageId !== interaction.message.id)
          await exchange.deleteReply();
        throw new UserError('not-running', 'This picture has already ended.');
      }
    },
  };
}

/** Ends after the current step, with its picture. */
export const stopButton = ending('stop', (bot, id) => bot.generations.stop(id));
/** Drops it. */
export const cancelButton = ending('cancel', (bot, id) => bot.generations.cancel(id));
/** Nothing but the press: the private reply stays within reach. */
export const keepButton = ending('keep', (bot, id) => bot.queue.place(id) !== undefined);
