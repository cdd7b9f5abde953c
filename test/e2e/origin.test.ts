// What was made from a picture leads back to its message, through a real bot process.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { APIMessage, SandboxInteraction, SandboxUser } from '../../src/sandbox/types.js';
import { done, startWorld, type World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world?.close();
});

const withFile = (message: APIMessage) => message.attachments.length > 0;

async function paint(user: SandboxUser, hidden = false): Promise<APIMessage> {
  const options = { prompt: 'a red fox', steps: 6, scheduler: 'DDIM', private: hidden };
  return done(await user.command('imagine', options));
}

/** How the message leads to the other. */
function wayTo(message: APIMessage, words = 'came from [this picture]'): string {
  const { guildId, channelId } = world.sandbox;
  return `${words}(https://discord.com/channels/${guildId}/${channelId}/${message.id})`;
}

test('rerolls, variations, branches and edits lead to the picture they came from, and so do their steps', async () => {
  const ada = world.sandbox.user('ada');
  const picture = await paint(ada);
  expect(picture.content).not.toContain('discord.com');
  const edit = async (): Promise<SandboxInteraction> => {
    const opened = await ada.click(picture, /^edit:/);
    await opened.acknowledged;
    return ada.submitModal(opened, { prompt: 'a blue fox' });
  };
  const branch = async (): Promise<SandboxInteraction> => {
    const opened = await ada.click(picture, /^steps:/);
    const sheet = await opened.waitFor(withFile);
    expect(sheet.content).not.toContain('discord.com');
    await ada.select(sheet, /:choose$/, ['3']);
    const step = await opened.waitFor((m) => m.content.includes('**Step 3 of 6**'));
    return ada.click(step, /^branch:/);
  };
  for (const make of [
    () => ada.click(picture, /^reroll:/),
    () => ada.contextCommand('Reroll', picture),
    () => ada.click(picture, /^vary:.*:subtle$/),
    branch,
    edit,
  ]) {
    const made = await done(await make());
    expect(made.content).toContain(wayTo(picture));
    const opened = await ada.click(made, /^steps:/);
    expect((await opened.waitFor(withFile)).content).toContain(
      wayTo(picture, 'ame from [this picture]'),
    );
  }
});

test('nothing leads to what is private, and what is private leads to what all see', async () => {
  const [ada, dieter] = [world.sandbox.user('ada'), world.sandbox.user('dieter')];
  const hidden = await paint(ada, true);
  const again = await done(await ada.click(hidden, /^reroll:/));
  expect(again.content).not.toContain('discord.com');
  dieter.locale = 'de';
  const shown = await paint(ada);
  const opened = await dieter.click(shown, /^steps:/);
  const his = await done(await dieter.click(await opened.waitFor(withFile), /^vary:.*:strong$/));
  expect(his.content).toContain(wayTo(shown, 'entstand aus [diesem Bild]'));
});

test('nothing leads to what was deleted', async () => {
  const ada = world.sandbox.user('ada');
  const picture = await paint(ada);
  const again = await done(await ada.click(picture, /^reroll:/));
  await ada.click(picture, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(picture.id) === undefined);
  const isGone = async () => {
    const opened = await ada.click(again, /^steps:/);
    return !(await opened.waitFor(withFile)).content.includes('discord.com');
  };
  await expect.poll(isGone, { timeout: 20_000 }).toBe(true);
});

test('the way back is in the reply that a restart delivers, too', async () => {
  const ada = world.sandbox.user('ada');
  const picture = await paint(ada);
  const asked = await ada.click(picture, /^reroll:/);
  await asked.waitFor();
  await world.bot.end('SIGKILL');
  await world.restart();
  expect((await done(asked)).content).toContain(wayTo(picture));
});
