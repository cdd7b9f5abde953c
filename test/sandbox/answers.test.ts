// What an unmodified discord.js client does with interactions: defer, edit with files, follow up,
// suggest, ask by a modal, act on buttons and selects.

import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  type Interaction,
  LabelBuilder,
  MessageFlags,
  ModalBuilder,
  StringSelectMenuBuilder,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import { expect, test } from 'vitest';
import { bot, PIXEL } from './support.js';

test('a deferred answer shows as loading, then takes text, a picture and its alt text', async () => {
  let loading: boolean | undefined;
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const reply = await interaction.deferReply({ withResponse: true });
    loading = reply.resource?.message?.flags.has(MessageFlags.Loading);
    const prompt = interaction.options.getString('prompt', true);
    await interaction.editReply({
      content: `Here: ${prompt}`,
      files: [
        new AttachmentBuilder(PIXEL, { name: 'my pixel.png', description: 'one grey pixel' }),
      ],
    });
  });
  const ada = sandbox.user('ada');
  const interaction = await ada.command('paint', { prompt: 'a fox' });
  expect(await interaction.acknowledged).toMatchObject({ type: 5, ephemeral: false });
  const message = await interaction.waitFor();
  expect(errors).toEqual([]);
  expect(loading).toBe(true);
  expect(message).toMatchObject({
    content: 'Here: a fox',
    flags: 0,
    edited_timestamp: null,
    interaction_metadata: { name: 'paint', user: { id: ada.id } },
    attachments: [
      {
        filename: 'my_pixel.png',
        description: 'one grey pixel',
        content_type: 'image/png',
        width: 1,
        height: 1,
      },
    ],
  });
  const file = message.attachments[0];
  const answer = await fetch(file?.url ?? '');
  expect(answer.headers.get('content-type')).toBe('image/png');
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(PIXEL);
  expect(await sandbox.download(file as { url: string })).toEqual(PIXEL);
});

test('an edit keeps the files whose ids it names, and an empty list replaces all by the new ones', async () => {
  const names: string[][] = [];
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const note = (message: { attachments: ReadonlyMap<string, { name: string }> }) =>
      names.push([...message.attachments.values()].map((file) => file.name));
    await interaction.reply({
      files: ['a.png', 'b.png'].map((name) => new AttachmentBuilder(PIXEL, { name })),
    });
    const first = await interaction.fetchReply();
    note(first);
    note(await interaction.editReply({ attachments: [...first.attachments.values()].slice(0, 1) }));
    const added = await interaction.editReply({
      attachments: [...first.attachments.values()].slice(0, 1),
      files: [new AttachmentBuilder(PIXEL, { name: 'c.png' })],
    });
    note(added);
    const replaced = await interaction.editReply({
      attachments: [],
      files: [new AttachmentBuilder(PIXEL, { name: 'd.png' })],
    });
    note(replaced);
  });
  await sandbox.user().command('paint', { prompt: 'x' });
  await sandbox.until(() => names.length === 4 || errors.length > 0);
  expect(errors).toEqual([]);
  expect(names).toEqual([['a.png', 'b.png'], ['a.png'], ['a.png', 'c.png'], ['d.png']]);
});

test('an uploaded file reaches the bot as an attachment that can be fetched', async () => {
  let received: Buffer | undefined;
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    await interaction.deferReply();
    const file = interaction.options.getAttachment('init', true);
    received = Buffer.from(await (await fetch(file.url)).arrayBuffer());
    await interaction.editReply(`${file.name} ${file.contentType} ${file.width}`);
  });
  const interaction = await sandbox
    .user()
    .command('paint', { prompt: 'x', init: { name: 'in.png', bytes: PIXEL } });
  expect((await interaction.waitFor()).content).toBe('in.png image/png 1');
  expect(received).toEqual(PIXEL);
  expect(errors).toEqual([]);
});

test('autocomplete gives the bot what is typed and the person what it suggests', async () => {
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isAutocomplete()) return;
    const { name, value } = interaction.options.getFocused(true);
    const prompt = interaction.options.getString('prompt');
    await interaction.respond([{ name: `${prompt}: ${value}`, value: name }]);
  });
  const choices = await sandbox.user().autocomplete('paint', 'model', 'sd', { prompt: 'fox' });
  expect(choices).toEqual([{ name: 'fox: sd', value: 'model' }]);
});

test('more than 25 suggestions are refused', async () => {
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isAutocomplete()) return;
    const choices = Array.from({ length: 26 }, (_, index) => ({
      name: `${index}`,
      value: `${index}`,
    }));
    await interaction.respond(choices);
  });
  sandbox.limits.acknowledge = 300;
  await expect(sandbox.user().autocomplete('paint', 'model', '')).rejects.toThrow(
    'did not respond',
  );
  expect(errors).toMatchObject([{ status: 400, code: 50035 }]);
});

test('every interaction that nobody answers ends, however early its timer goes off', async () => {
  const { sandbox } = await bot(async () => undefined);
  sandbox.limits.acknowledge = 20;
  const ada = sandbox.user('ada');
  for (let n = 0; n < 200; n++) {
    await expect(ada.autocomplete('paint', 'model', '')).rejects.toThrow('did not respond');
  }
});

function controls(interaction: Interaction) {
  return [
    new ActionRowBuilder<ButtonBuilder>().addComponents(
      new ButtonBuilder().setCustomId('again').setLabel('Again').setStyle(ButtonStyle.Primary),
      new ButtonBuilder().setCustomId('later').setLabel('Later').setStyle(ButtonStyle.Secondary),
      new ButtonBuilder().setCustomId('edit').setLabel('Edit').setStyle(ButtonStyle.Secondary),
      new ButtonBuilder().setCustomId('off').setLabel('Off').setStyle(2).setDisabled(true),
    ),
    new ActionRowBuilder<StringSelectMenuBuilder>().addComponents(
      new StringSelectMenuBuilder()
        .setCustomId('pick')
        .setPlaceholder('Frames')
        .addOptions(
          { label: 'Nine', value: '9' },
          { label: `For ${interaction.user.username}`, value: '50' },
        ),
    ),
  ];
}

test('buttons, selects and modals act on the message they stand on', async () => {
  const { sandbox, errors } = await bot(async (interaction) => {
    if (interaction.isChatInputCommand()) {
      await interaction.reply({ content: 'start', components: controls(interaction) });
    } else if (interaction.isButton() && interaction.customId === 'again') {
      await interaction.update({ content: `again after ${interaction.message.content}` });
    } else if (interaction.isButton() && interaction.customId === 'later') {
      await interaction.deferUpdate();
      await interaction.editReply('later');
      await interaction.followUp({ content: 'psst', flags: MessageFlags.Ephemeral });
    } else if (interaction.isButton()) {
      const field = new TextInputBuilder()
        .setCustomId('prompt')
        .setStyle(TextInputStyle.Paragraph)
        .setValue('preset')
        .setMaxLength(10);
      const label = new LabelBuilder().setLabel('Prompt').setTextInputComponent(field);
      await interaction.showModal(
        new ModalBuilder().setCustomId('form').setTitle('Edit').addLabelComponents(label),
      );
    } else if (interaction.isStringSelectMenu()) {
      await interaction.reply(`picked ${interaction.values.join()}`);
    } else if (interaction.isModalSubmit() && interaction.isFromMessage()) {
      await interaction.update(`modal: ${interaction.fields.getTextInputValue('prompt')}`);
    }
  });
  const ada = sandbox.user('ada');
  const ben = sandbox.user('ben');
  const first = await (await ada.command('paint', { prompt: 'x' })).waitFor();

  const pressed = await ada.click(first, 'Again');
  expect(await pressed.waitFor()).toMatchObject({ id: first.id, content: 'again after start' });

  const later = await ben.click(first, 'later');
  await later.waitFor((message) => message.content === 'later');
  const whisper = await ben.waitFor((message) => message.content === 'psst');
  expect(whisper.flags).toBe(MessageFlags.Ephemeral);
  expect(ada.messages().map((message) => message.content)).not.toContain('psst');

  const form = await ben.click(first, /^Edit$/);
  expect((await form.acknowledged).type).toBe(9);
  expect(form.modal).toMatchObject({ custom_id: 'form', title: 'Edit' });
  await expect(ben.submitModal(form, { prompt: 'much too long a text' })).rejects.toThrow(
    'at most 10',
  );
  const sent = await ben.submitModal(form, { prompt: 'new' });
  await sent.waitFor((message) => message.content === 'modal: new');
  const preset = await ben.submitModal(form, {});
  await preset.waitFor((message) => message.content === 'modal: preset');

  const picked = await ben.select(first, 'Frames', ['50']);
  expect(await picked.waitFor()).toMatchObject({
    content: 'picked 50',
    message_reference: { message_id: first.id },
  });
  await expect(ben.select(first, 'Frames', ['7'])).rejects.toThrow('no choice "7"');
  await expect(ben.click(first, 'Off')).rejects.toThrow('switched off');
  await expect(ben.click(first, 'None')).rejects.toThrow('there is: Again, Later');
  expect(errors).toEqual([]);
});

test('an ephemeral answer is seen by its reader alone and not reached by the bot token', async () => {
  const failures: unknown[] = [];
  const { sandbox, client, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    await interaction.deferReply({ flags: MessageFlags.Ephemeral });
    const reply = await interaction.editReply('secret');
    const route = `/channels/${interaction.channelId}/messages/${reply.id}` as const;
    await client.rest
      .patch(route, { body: { content: 'x' } })
      .catch((error) => failures.push(error));
    await client.rest.delete(route).catch((error) => failures.push(error));
    const all = (await client.rest.get(`/channels/${interaction.channelId}/messages`)) as unknown[];
    failures.push(all.length);
  });
  const ada = sandbox.user('ada');
  const interaction = await ada.command('paint', { prompt: 'x' });
  const message = await interaction.waitFor();
  await sandbox.until(() => failures.length === 3);
  expect(failures).toMatchObject([{ status: 404, code: 10008 }, { status: 404, code: 10008 }, 0]);
  expect(sandbox.user('ben').messages()).toEqual([]);
  expect(ada.messages().map(({ content }) => content)).toEqual(['secret']);
  ada.dismiss(message);
  expect(ada.messages()).toEqual([]);
  expect(errors).toEqual([]);
});

test('a follow-up straight after a deferral fills the awaited answer', async () => {
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    await interaction.deferReply();
    await interaction.followUp('one');
    await interaction.followUp('two');
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  const seen = () => interaction.messages().map((message) => message.content);
  await sandbox.until(() => seen().length === 2 && seen().every(Boolean));
  expect(seen()).toEqual(['one', 'two']);
});

test('whom a message would notify is recorded, as far as allowed_mentions lets it', async () => {
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const content = interaction.options.getString('prompt', true);
    const allowed = interaction.options.getInteger('steps') === 1;
    await interaction.deferReply();
    await interaction.editReply({
      content,
      ...(allowed ? {} : { allowedMentions: { parse: [] } }),
    });
  });
  const ada = sandbox.user('ada');
  const prompt = `@everyone <@${ada.id}> \`@here\``;
  await (await ada.command('paint', { prompt, steps: 2 })).waitFor();
  expect(sandbox.pings).toEqual([]);
  const loud = await (await ada.command('paint', { prompt, steps: 1 })).waitFor();
  expect(sandbox.pings).toEqual([
    { messageId: loud.id, everyone: true, users: [ada.id], roles: [] },
  ]);
});

test("what Discord's client would not send is refused with a sentence", async () => {
  const { sandbox } = await bot(async () => undefined);
  const ada = sandbox.user('ada');
  await expect(ada.command('paint', {})).rejects.toThrow('"prompt" of /paint is required');
  await expect(ada.command('paint', { prompt: 'x', steps: 51 })).rejects.toThrow('at most 50');
  await expect(ada.command('paint', { prompt: 'x', steps: 1.5 })).rejects.toThrow('whole number');
  await expect(ada.command('paint', { prompt: 'x'.repeat(6001) })).rejects.toThrow(
    '6000 characters',
  );
  await expect(ada.command('paint', { prompt: 'x', seed: 1 })).rejects.toThrow(
    'its options: prompt',
  );
  await expect(ada.command('draw')).rejects.toThrow('registered: /paint');
});
