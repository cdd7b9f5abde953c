// "Use as init image", in a message's menu: a window for the prompt, then a picture painted from the
// message's own.

import { ApplicationCommandType, MessageFlags, TextInputStyle } from 'discord-api-types/v10';
import { customId } from '../../discord/custom-id.js';
import { SLOW_DISK, within } from '../../discord/patience.js';
import { textsFor } from '../../discord/texts/index.js';
import type { Store } from '../../store/types.js';
import { type SentFile, sentFile } from '../attachments.js';
import { INPUT_LENGTH, labelled } from '../buttons/edit.js';
import { EVERYWHERE, named } from '../data.js';
import { paintFrom, USUAL_STRENGTH } from '../from-image.js';
import { parseNumber } from '../parameters.js';
import type { Bot, ButtonFamily, MessageCommand } from '../types.js';
import { firstPicture, noPicture } from './picture.js';

/** A picture whose window is open. */
interface Chosen {
  readonly id: string;
  readonly file: SentFile;
}

/** Windows of one person that may be open at once. */
const MOST_WINDOWS = 5;

/** ms: an address at Discord is good for a day */
const GOOD_FOR = 24 * 3600 * 1000;

/** What a person's open windows are for, the newest last. */
const windowsOf = (userId: string): string => `init-windows-of:${userId}`;

const read = (text: string | undefined): readonly Chosen[] =>
  text === undefined ? [] : JSON.parse(text);

/** Those of whom nobody may know: the message was seen by one person alone. */
const PRIVATE = 'p';

export const useAsInit: MessageCommand = {
  data: {
    type: ApplicationCommandType.Message,
    ...named(['Use as init image', 'Als Ausgangsbild nehmen', 'Partir de cette image']),
    ...EVERYWHERE,
  },

  async execute(interaction, exchange, bot) {
    const message = interaction.targetMessage;
    const file = firstPicture(message);
    const texts = textsFor(exchange.locale);
    // First: what is opened may be sent after a restart.
    const kept = keep(bot.store, exchange.userId, { id: file.id, file: sentFile(file) });
    await within(SLOW_DISK, kept).catch(() => {}); // then it is looked for where its message is
    const hidden = message.flags.has(MessageFlags.Ephemeral) ? PRIVATE : '';
    await exchange.modal({
      // Where the picture was not kept it is found again by where its message is.
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
          max_length: 20,
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
    // Whatever is known to be wrong is told before anything is looked up.
    const kept = await within(SLOW_DISK, bot.store.setting(windowsOf(exchange.userId)));
    let image = read(kept).find(({ id }) => id === fileId)?.file;
    if (image === undefined) {
      // Whoever sent the window sees this channel; of others nobody knows.
      if (channelId !== interaction.channelId) throw noPicture();
      await exchange.defer(ephemeral);
      image = await lookUp(bot, channelId, messageId, fileId);
    }
    await paintFrom(bot, exchange, { image, mask: null }, given, 1, ephemeral);
  },
};

async function keep(store: Store, userId: string, chosen: Chosen): Promise<void> {
  const others = read(await store.setting(windowsOf(userId))).filter(({ id }) => id !== chosen.id);
  const windows = [...others, chosen].slice(-MOST_WINDOWS);
  await store.setSetting(windowsOf(userId), JSON.stringify(windows), Date.now() + GOOD_FOR);
}

/** The file of a message of the bot's own: of others' it is not told. @throws UserError 'no-picture' */
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
