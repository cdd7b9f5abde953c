// Commands in a message's menu, the messages of people that they are meant for, and downloads that
// go wrong: as an unmodified discord.js client and the page meet them.

import { ApplicationCommandType, MessageFlags } from 'discord.js';
import { expect, test } from 'vitest';
import { bot, PIXEL } from './support.js';

const LOOK = {
  type: ApplicationCommandType.Message,
  name: 'Look at it',
  name_localizations: { de: 'Ansehen' },
} as const;

/** A bot that answers its menu's command with what the message holds. */
async function looking() {
  const made = await bot(async (interaction) => {
    if (!interaction.isMessageContextMenuCommand()) return;
    const { content, attachments, author } = interaction.targetMessage;
    const files = attachments.map((file) => `${file.name} ${file.contentType} ${file.width}`);
    await interaction.reply(`${author.username}: ${content} [${files.join(', ')}]`);
  });
  await made.client.application.commands.create(LOOK);
  return made;
}

test('a menu command gets the message with its files, whoever posted it', async () => {
  const { sandbox, errors } = await looking();
  const [ada, ben] = [sandbox.user('ada'), sandbox.user('ben')];
  const posted = await ada.say('look', [{ name: 'dot.png', bytes: PIXEL }]);
  expect(posted).toMatchObject({ type: 0, content: 'look', author: { username: 'ada' } });
  const answer = await (await ben.contextCommand('Look at it', posted)).waitFor();
  expect(answer.content).toBe('ada: look [dot.png image/png 1]');
  expect(answer.type).toBe(23);
  expect(answer.interaction_metadata).toMatchObject({ user: { id: ben.id } });
  expect(errors).toEqual([]);
});

test('nobody reaches a message that they do not see, nor a slash command through a menu', async () => {
  const { sandbox, client } = await looking();
  const [ada, ben] = [sandbox.user('ada'), sandbox.user('ben')];
  client.on('interactionCreate', (interaction) => {
    if (interaction.isChatInputCommand())
      void interaction.reply({ content: 'secret', flags: MessageFlags.Ephemeral });
  });
  const hidden = await (await ada.command('paint', { prompt: 'x' })).waitFor();
  await expect(ben.contextCommand('Look at it', hidden)).rejects.toThrow('not here');
  expect(await (await ada.contextCommand('Look at it', hidden)).waitFor()).toBeDefined();
  await expect(ada.contextCommand('paint', hidden)).rejects.toThrow('No context menu');
});

test('the page runs a menu command by the message it is meant for', async () => {
  const { sandbox } = await looking();
  const ada = sandbox.user('ada');
  const posted = await ada.say('from the page');
  const command = sandbox.commands.find((one) => one.name === 'Look at it')?.id;
  const run = (body: Record<string, unknown>) =>
    fetch(`${sandbox.url}page/interactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: ada.id, nonce: 'n', type: 2, command, ...body }),
    });
  expect((await run({ target_id: posted.id })).status).toBe(202);
  await ada.waitFor((m) => m.content.includes('from the page []'));
  expect((await run({ target_id: '1' })).status).toBe(400);
  const slash = sandbox.commands.find((one) => one.name === 'paint')?.id;
  expect((await run({ command: slash, target_id: posted.id })).status).toBe(400);
});

interface Menu {
  messageCommands(commands: unknown, locale: string): { label: string }[];
}

test('the page offers what is for messages, in the language of its reader', async () => {
  const page = new URL('../../src/sandbox/page/invocation.js', import.meta.url).href;
  const { messageCommands } = (await import(page)) as Menu;
  const commands = [LOOK, { ...LOOK, name: 'Again', name_localizations: null }, { name: 'paint' }];
  const labels = (locale: string) => messageCommands(commands, locale).map(({ label }) => label);
  expect(labels('en-US')).toEqual(['Again', 'Look at it']);
  expect(labels('de-AT')).toEqual(['Again', 'Ansehen']);
});

test('downloads break off, are gone or lead elsewhere as often as was asked for', async () => {
  const { sandbox } = await looking();
  const bytes = Buffer.alloc(100_000, 7);
  const posted = await sandbox.user('ada').say('', [{ name: 'large.bin', bytes }]);
  const url = posted.attachments[0]?.url ?? '';
  sandbox.faults.brokenDownload('cut');
  await expect(fetch(url).then((response) => response.arrayBuffer())).rejects.toThrow();
  sandbox.faults.brokenDownload('gone', 2);
  expect((await fetch(url)).status).toBe(404);
  expect((await fetch(url)).status).toBe(404);
  sandbox.faults.brokenDownload('moved');
  await expect(fetch(url, { redirect: 'error' })).rejects.toThrow();
  expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(bytes)).toBe(true);
});
