// What an unmodified discord.js client does with interactions: defer, edit with files, follow up,
// suggest, ask by a modal, act on buttons and selects.

import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  MessageFlags,
  ModalBuilder,
  StringSelectMenuBuilder,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import { expect, test } from 'vitest';
import { bot, PIXEL } from './support.js';

test('a deferred answer shows as loading, then takes text, a picture and its alt text', async () => {
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const reply = await interaction.deferReply({ withResponse: true });
    expect(reply.resource?.message?.flags.has(MessageFlags.Loading)).toBe(true);
    const prompt = interaction.options.getString('prompt', true);
    await interaction.editReply({
      content: `Here: ${prompt}`,
      files: [new AttachmentBuilder(PIXEL, { name: 'my pixel.png', description: 'one grey pixel' })],
    });
  });
  const ada = sandbox.user('ada');
  const interaction = await ada.command('paint', { prompt: 'a fox' });
  const acknowledged = await interaction.acknowledged;
  expect(acknowledged).toMatchObject({ type: 5, ephemeral: false });
  const message = await interaction.waitFor();
  expect(errors).toEqual([]);
  expect(message).toMatchObject({
    content: 'Here: a fox',
    flags: 0,
    edited_timestamp: null,
    interaction_metadata: { name: 'paint', user: { id: ada.id } },
    attachments: [
      { filename: 'my_pixel.png', description: 'one grey pixel', content_type: 'image/png', width: 1, height: 1 },
    ],
  });
  const file = message.attachments[0];
  const answer = await fetch(file?.url ?? '');
  expect(answer.headers.get('content-type')).toBe('image/png');
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(PIXEL);
  expect(await sandbox.download(file as { url: string })).toEqual(PIXEL);
});
