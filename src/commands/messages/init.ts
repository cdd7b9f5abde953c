// "Use as init image", in a message's menu: a window for the prompt, then a picture painted from the
// message's own.

import { ApplicationCommandType, MessageFlags, TextInputStyle } from 'discord-api-types/v10';
import { customId } from '../../discord/custom-id.js';
import { textsFor } from '../../discord/texts/index.js';
import { type SentFile, sentFile } from '../attachments.js';
import { INPUT_LENGTH, labelled } from '../buttons/edit.js';
import { EVERYWHERE, named } from '../data.js';
import { paintFrom, USUAL_STRENGTH } from '../from-image.js';
import { parseNumber } from '../parameters.js';
import type { Bot, ButtonFamily, MessageCommand } from '../types.js';
import { firstPicture, noPicture } from './picture.js';

/** Pictures whose windows are open, by the person and the picture's id. An address at Discord is good for a day. */
const chosen = new Map<string, SentFile>();
const MOST_CHOSEN = 500;

/** Those of whom nobody may know: the message was seen by one person alone. */
const PRIVATE = 'p';

export const useAsInit: MessageCommand = {
  data: {
    type: ApplicationCommandType.Message,
    ...named(['Use as init image', 'Als Ausgangsbild nehmen', 'Partir de cette image']),
    ...EVERYWHERE,
  },

  async execute(interaction, exchange) {
    const message = interaction.targetMessage;
    const file = firstPicture(message);
    const texts = textsFor(exchange.locale);
    chosen.set(`${exchange.userId} ${file.id}`, sentFile(file));
    for (const oldest of chosen.keys()) {
      if (chosen.size <= MOST_CHOSEN) break;
      chosen.delete(oldest);
    }
    const hidden = message.flags.has(MessageFlags.Ephemeral) ? PRIVATE : '';
    await exchange.modal({
      // After a restart the picture is found again by where its message is.
      custom_id: customId('init', file.id, message.channelId, message.id, hidden),
      title: texts.initTitle,
      components: [
        labelled(texts.editPrompt, {
          custom_id: 'prompt',
          style: TextInputStyle.Paragraph,
          max_length: INPUT_LENGTH,
        }),
        labelled(texts.editNegative, {
          custom_id: 'negative',
          style: TextInputStyle.Paragraph,
          max_length: INPUT_LENGTH,
        }),
        labelled(texts.strength, {
          custom_id: 'strength',
          style: TextInputStyle.Short,
          value: String(USUAL_STRENGTH.image),
          max_length: 6,
        }),
        labelled(texts.seed, { custom_id: 'seed', style: TextInputStyle.Short, max_length: 10 }),
      ],
    });
  },
};

/** What comes back from the window. */
export const initWindow: ButtonFamily = {
  verb: 'init',
  async submit(interaction, { generation: fileId, args }, exchange, bot) {
    const [channelId = '', messageId = '', hidden] = args;
    const texts = textsFor(exchange.locale);
    const text = (name: string) => interaction.fields.getTextInputValue(name);
    const given = {
      prompt: text('prompt'),
      negativePrompt: text('negative'),
      strength: parseNumber(text('strength'), texts.strength),
      seed: parseNumber(text('seed'), texts.seed),
    };
    const ephemeral = hidden === PRIVATE;
    let image = chosen.get(`${exchange.userId} ${fileId}`);
    if (image === undefined) {
      // Whoever sent the window sees this channel; of others nobody knows.
      if (channelId !== interaction.channelId) throw noPicture();
      await exchange.defer(ephemeral);
      image = await lookUp(bot, channelId, messageId, fileId);
    }
    await paintFrom(bot, exchange, { image, mask: null }, given, 1, ephemeral);
  },
};

/** The file of a message that the bot may read. @throws UserError 'no-picture' */
async function lookUp(
  bot: Bot,
  channelId: string,
  messageId: string,
  fileId: string,
): Promise<SentFile> {
  const message = await bot.rest.message(channelId, messageId);
  const file = message?.attachments.find((one) => one.id === fileId);
  if (file === undefined) throw noPicture();
  return {
    url: file.url,
    name: file.filename,
    size: file.size,
    contentType: file.content_type ?? null,
    width: file.width ?? null,
    height: file.height ?? null,
  };
}
