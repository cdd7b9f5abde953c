// What is private stays so, whoever presses or types what: through a real bot process.

import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { MessageFlags } from 'discord-api-types/v10';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { APIMessage, SandboxInteraction } from '../../src/sandbox/types.js';
import { FILE_NAME } from '../../src/store/open.js';
import { customIds, done, startWorld, type World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world?.close();
});

/** One of ada's that she alone sees, or that all see. */
async function paint(hidden: boolean): Promise<{ message: APIMessage; id: string }> {
  const options = { prompt: 'a secret', steps: 5, scheduler: 'DDIM', private: hidden };
  const message = await done(await world.sandbox.user('ada').command('imagine', options));
  return { message, id: idOf(message) };
}

/** What the picture is called in its buttons. */
function idOf(message: APIMessage): string {
  const id = customIds(message)[0]?.split(':')[1];
  if (id === undefined) throw new Error('the message has no buttons');
  return id;
}

/** The answer is for one person, and no other sees it. */
async function expectPrivate(interaction: SandboxInteraction, reply: APIMessage): Promise<void> {
  expect((await interaction.acknowledged).ephemeral).toBe(true);
  expect((reply.flags ?? 0) & MessageFlags.Ephemeral).toBe(MessageFlags.Ephemeral);
  const others = world.sandbox.user('ben').messages();
  expect(others.map((message) => message.id)).not.toContain(reply.id);
}

/** What is said or shown in the end, not the waiting for it. */
const answer = (interaction: SandboxInteraction): Promise<APIMessage> =>
  interaction.waitFor((message) => message.content !== '' || withFile(message));
const withFile = (message: APIMessage) => message.attachments.length > 0;

test('/steps knows nothing of a private picture of somebody else', async () => {
  const { id } = await paint(true);
  const asked = await world.sandbox.user('ben').command('steps', { of: id });
  const told = await answer(asked);
  expect(told.content).toBe('I no longer know this picture.');
  expect(told.attachments).toEqual([]);
  expect((await asked.acknowledged).ephemeral).toBe(true);
});

test('the steps of a private picture are for its owner alone', async () => {
  const { message } = await paint(true);
  const pressed = await world.sandbox.user('ada').click(message, /^steps:/);
  await expectPrivate(pressed, await pressed.waitFor(withFile));
});

test('variations of a private picture are private', async () => {
  const { message } = await paint(true);
  const pressed = await world.sandbox.user('ada').click(message, /^vary:.*:subtle$/);
  await expectPrivate(pressed, await done(pressed));
});

test('what is edited from a private picture is private', async () => {
  const { message } = await paint(true);
  const ada = world.sandbox.user('ada');
  const opened = await ada.click(message, /^edit:/);
  await opened.acknowledged;
  const sent = await ada.submitModal(opened, { prompt: 'another secret' });
  await expectPrivate(sent, await done(sent));
});

test('what was deleted is forgotten with its steps', async () => {
  const { message, id } = await paint(false);
  const ada = world.sandbox.user('ada');
  await ada.click(message, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(message.id) === undefined);
  // The message goes first, the picture after it.
  const forgotten = async () => {
    const asked = await ada.command('steps', { of: id });
    const told = await answer(asked);
    expect(told.content).toBe('I no longer know this picture.');
  };
  await vi.waitFor(forgotten, { timeout: 20_000, interval: 100 });
});

test('steps that a clean picture has from one that was flagged are shown nowhere', async () => {
  const { message, id } = await paint(true);
  const ada = world.sandbox.user('ada');
  const branch = await done(await ada.click(message, /^vary:.*:subtle$/));
  expect(branch.content).toContain('kept steps 1–3 of 5');
  const whole = await answer(await ada.command('steps', { of: idOf(branch) }));
  expect(whole.attachments[0]?.description).toContain(', 5 frames.');
  // No checker flags the one and not the other on demand: it is written into the store.
  await world.bot.end();
  const database = new DatabaseSync(join(world.dataDirectory, FILE_NAME));
  // Not prepared: what is would hold the file until it is collected.
  database.exec(`UPDATE generations SET flagged = 1 WHERE id = '${id}'`);
  database.close();
  await world.restart();

  const one = await answer(await ada.command('steps', { of: idOf(branch), step: 2 }));
  expect(one.content).toContain('its steps are not shown');
  expect(one.attachments).toEqual([]);
  const own = await answer(await ada.command('steps', { of: idOf(branch), step: 4 }));
  expect(own.content).toContain('Step 4 of 5');
  const sheet = await answer(await ada.command('steps', { of: idOf(branch) }));
  expect(sheet.attachments[0]?.description).toContain(', 2 frames.');
});
