// Settings that change what people meet: the limits, one server for the commands, several engines.

import { afterEach, expect, test } from 'vitest';
import type { APIMessage } from '../../src/sandbox/types.js';
import { childrenOf } from '../support/processes.js';
import { customIds, done, isDone, startWorld, type World } from './support.js';

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

/** The declared option of /imagine. */
function option(name: string): Record<string, unknown> {
  const imagine = world?.sandbox.commands.find((command) => command.name === 'imagine');
  const found = imagine?.options?.find((one) => one.name === name);
  return { ...found };
}

const puts = () =>
  world?.sandbox.requests.filter((r) => r.method === 'PUT' && r.path.endsWith('/commands')) ?? [];

test('limits are declared to Discord, offered, checked, and declared again when they change', async () => {
  world = await startWorld({ YLEM_MAX_STEPS: '12', YLEM_MAX_SIDE: '96' });
  const { sandbox } = world;
  const user = sandbox.user('ada');
  expect(option('steps')).toMatchObject({ min_value: 1, max_value: 12 });
  expect(option('steps').description).toContain('12');
  await expect(user.command('imagine', { prompt: 'x', steps: 13 })).rejects.toThrow('12');
  for (const { value } of await user.autocomplete('imagine', 'size', '')) {
    for (const side of String(value).split('x')) expect(Number(side)).toBeLessThanOrEqual(96);
  }
  const refused = await user.command('imagine', { prompt: 'x', size: '128x96', steps: 2 });
  expect((await refused.waitFor()).content).toMatch(/to 96 pixels.*nearest is 96x96/);
  const message = await done(await user.command('imagine', { prompt: 'kept', steps: 12, seed: 1 }));
  const edit = await user.click(message, /^edit:/);
  await edit.acknowledged;
  const edited = await user.submitModal(edit, { steps: '13' });
  expect((await edited.waitFor()).content).toContain('12');

  await world.bot.end('SIGTERM');
  await world.restart({ YLEM_MAX_STEPS: '6' });
  await sandbox.until(() => option('steps').max_value === 6, { what: 'the new limit' });
  expect(puts()).toHaveLength(2);
  // A picture from the time of wider limits is refused as well, and keeps its buttons.
  const again = await user.click(message, /^reroll:/);
  expect((await again.waitFor()).content).toContain('6');
  const usual = await done(await user.command('imagine', { prompt: 'usual' }));
  expect(usual.content).toContain('6 steps');
}, 180_000);

test('a model that is larger than the limit paints smaller pictures where no size is named', async () => {
  world = await startWorld({ YLEM_MAX_SIDE: '64' });
  const { sandbox } = world;
  const message = await done(
    await sandbox.user('ada').command('imagine', { prompt: 'x', steps: 2 }),
  );
  const { width, height } = message.attachments[0] ?? {};
  expect(Math.max(width ?? 0, height ?? 0)).toBeLessThanOrEqual(64);
});

test('DISCORD_GUILD_ID moves the commands into one server, and back', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const guild = { DISCORD_GUILD_ID: sandbox.guildId };
  const homes = () => new Set(sandbox.commands.map((command) => command.guild_id));
  expect(homes()).toEqual(new Set([undefined]));
  const count = sandbox.commands.length;

  await world.bot.end('SIGTERM');
  await world.restart(guild);
  await sandbox.until(() => homes().has(sandbox.guildId) && homes().size === 1, {
    what: 'the commands in the server alone',
  });
  expect(sandbox.commands).toHaveLength(count);
  await done(await sandbox.user('ada').command('imagine', { prompt: 'x', steps: 2 }));

  // Once they are there a start changes nothing.
  const before = puts().length;
  await world.bot.end('SIGTERM');
  await world.restart(guild);
  await done(await sandbox.user('ada').command('imagine', { prompt: 'x', steps: 2 }));
  expect(puts()).toHaveLength(before);

  await world.bot.end('SIGTERM');
  await world.restart();
  await sandbox.until(() => homes().has(undefined) && homes().size === 1, {
    what: 'the commands everywhere and not twice',
  });
  expect(sandbox.commands).toHaveLength(count);
}, 180_000);

test('two engines paint two pictures at once, and people still take turns', async () => {
  world = await startWorld({ YLEM_ENGINES: '2', YLEM_QUEUE_PER_USER: '20', YLEM_THREADS: '1' });
  const { sandbox } = world;
  const engines = childrenOf(world.bot.child.pid);
  expect(engines).toHaveLength(2);
  const [ada, ben] = [sandbox.user('ada'), sandbox.user('ben')];
  const long = { prompt: 'long', steps: 150, size: '128x128' };
  const first = await ada.command('imagine', long);
  const second = await ada.command('imagine', long);
  const forming = (m: APIMessage) => customIds(m).some((id) => id.startsWith('stop:'));
  await first.waitFor(forming);
  await second.waitFor(forming);
  expect(isDone(first.message() as APIMessage)).toBe(false);
  // Both hold their breath until everybody has asked, however fast this machine is.
  for (const pid of engines) process.kill(pid, 'SIGSTOP');
  const many = [];
  for (let seed = 0; seed < 6; seed++) {
    many.push(await ada.command('imagine', { prompt: 'many', steps: 10, seed }));
  }
  for (const one of many) await one.waitFor((m) => m.content.includes('line'));
  const few = [];
  for (let seed = 0; seed < 2; seed++) {
    few.push(await ben.command('imagine', { prompt: 'few', steps: 10, seed }));
  }
  for (const one of few) await one.waitFor((m) => m.content.includes('line'));
  const status = await (await ben.command('queue')).waitFor();
  expect(status.content).toContain('2 running');
  for (const pid of engines) process.kill(pid, 'SIGCONT');
  const order: string[] = [];
  await sandbox.until(
    () => {
      for (const m of sandbox.messages().filter(isDone))
        if (!order.includes(m.id)) order.push(m.id);
      return order.length === 10;
    },
    { what: 'ten pictures', timeout: 55_000 },
  );
  // Of the eight that waited, Ben's two come in turn with Ada's.
  const waited = order.filter((id) => ![first, second].some((one) => one.message()?.id === id));
  const places = few.map((one) => waited.indexOf(one.message()?.id ?? ''));
  expect(Math.max(...places)).toBeLessThanOrEqual(4);
}, 180_000);
