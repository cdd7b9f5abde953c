// What survives the death of a process: of the engine, of the bot, and an orderly end.

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageFlags } from 'discord-api-types/v10';
import { afterEach, expect, test, vi } from 'vitest';
import { childrenOf as children } from '../support/processes.js';
import {
  allPictures,
  customIds,
  done,
  isDone,
  spawnBot,
  startWorld,
  TINY_MODEL,
  type World,
} from './support.js';

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

const SOON = { timeout: 30_000, interval: 5 };
const LONG = { prompt: 'slow', steps: 150 };

/** Another bot, whose engine holds its breath from its first moment on. Resolves with the engine's pid. */
async function restartWithoutBreath(of: World): Promise<number> {
  const begun = of.restart();
  const engine = await vi.waitFor(() => {
    const [pid] = children(of.bot.child.pid);
    if (pid === undefined) throw new Error('there is no engine yet');
    process.kill(pid, 'SIGSTOP');
    return pid;
  }, SOON);
  await begun;
  return engine;
}

test('an engine killed in mid-job is restarted and the picture is the one it would have been', async () => {
  world = await startWorld();
  const { sandbox, bot } = world;
  const user = sandbox.user('ada');
  const whole = await done(await user.command('imagine', { ...LONG, seed: 5 }));
  const interaction = await user.command('imagine', { ...LONG, seed: 5 });
  await interaction.waitFor((m) => m.attachments.length > 0);
  const engines = children(bot.child.pid);
  expect(engines.length).toBeGreaterThan(0);
  for (const pid of engines) process.kill(pid, 'SIGKILL');
  const message = await done(interaction);
  const [one, two] = [whole.attachments[0], message.attachments[0]];
  if (one === undefined || two === undefined) throw new Error('a picture is missing');
  expect((await sandbox.download(two)).equals(await sandbox.download(one))).toBe(true);
  expect(interaction.messages()).toHaveLength(1);
});

test('an engine that dies twice over a job is told in one sentence, and the next job works', async () => {
  world = await startWorld();
  const { sandbox, bot } = world;
  const user = sandbox.user('ada');
  const interaction = await user.command('imagine', { ...LONG, size: '96x96' });
  await interaction.waitFor((m) => m.attachments.length > 0);
  const killed = new Set<number>();
  const killer = setInterval(() => {
    for (const pid of children(bot.child.pid)) {
      if (killed.has(pid)) continue;
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
  }, 50);
  try {
    await interaction.waitFor((m) => m.content.includes('died twice'));
  } finally {
    clearInterval(killer);
  }
  await done(await user.command('imagine', { prompt: 'next', steps: 3 }));
});

test('three jobs queued, the bot killed: after a restart each completes once, where it was promised', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const interactions = [];
  for (const name of ['ada', 'ben', 'cleo']) {
    interactions.push(
      await sandbox.user(name).command('imagine', { ...LONG, prompt: `of ${name}` }),
    );
  }
  const [first, ...others] = interactions;
  await first?.waitFor((m) => m.attachments.length > 0);
  for (const waiting of others) await waiting.waitFor((m) => m.content.includes('line'));
  await world.bot.end('SIGKILL');
  await world.restart();
  for (const interaction of interactions) {
    const message = await done(interaction);
    expect(message.attachments).toHaveLength(1);
    expect(interaction.messages()).toHaveLength(1);
  }
  expect(allPictures(sandbox)).toHaveLength(3);
  expect(sandbox.pings).toEqual([]);
  // Nothing is owed any more: another restart sends nothing.
  await world.bot.end('SIGTERM');
  const before = sandbox.requests.length;
  await world.restart();
  const answer = await sandbox.user('ada').command('queue');
  await answer.waitFor((m) => m.content.includes('Nothing waits'));
  const edits = sandbox.requests.slice(before).filter((r) => r.method === 'PATCH');
  expect(edits).toEqual([]);
}, 180_000);

test('killed between painting and delivery: the picture is delivered once after the restart', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const final = (r: { files: readonly { name: string }[] }) =>
    r.files.some((file) => file.name.startsWith('ylem-'));
  const fault = sandbox.faults.status({ method: 'PATCH', when: final, times: 1000 }, 503);
  const interaction = await sandbox.user('ada').command('imagine', { prompt: 'owed', steps: 5 });
  await sandbox.until(() => fault.hits > 0, { what: 'the first try' });
  await world.bot.end('SIGKILL');
  sandbox.faults.clear();
  await world.restart();
  await done(interaction);
  expect(interaction.messages()).toHaveLength(1);
  expect(allPictures(sandbox)).toHaveLength(1);
}, 180_000);

test('after the token has died the bot completes its own message, and several of one command', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const interaction = await sandbox.user('ada').command('imagine', { ...LONG, count: 2 });
  await interaction.waitFor((m) => m.attachments.length > 0);
  await sandbox.until(() => interaction.messages().length === 2, { what: 'the second reply' });
  await world.bot.end('SIGKILL');
  sandbox.faults.expire(interaction);
  await world.restart();
  await sandbox.until(() => sandbox.messages().filter(isDone).length === 2, {
    what: 'both pictures',
  });
  expect(sandbox.messages().filter((m) => m.author.id !== sandbox.user('ada').id)).toHaveLength(2);
  expect(allPictures(sandbox)).toHaveLength(2);
  expect(sandbox.pings).toEqual([]);
}, 180_000);

test('SIGTERM ends within 10 s, keeps what is queued, and the next start goes on', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const running = await sandbox.user('ada').command('imagine', { ...LONG, size: '128x128' });
  const waiting = await sandbox.user('ben').command('imagine', { prompt: 'kept', steps: 5 });
  await running.waitFor((m) => m.attachments.length > 0);
  await waiting.waitFor((m) => m.content.includes('line'));
  // The engine holds its breath, so that the end comes before the picture.
  const engines = children(world.bot.child.pid);
  for (const pid of engines) process.kill(pid, 'SIGSTOP');
  const begun = Date.now();
  expect(await world.bot.end('SIGTERM')).toBe(0);
  expect(Date.now() - begun).toBeLessThan(10_000);
  // Both were told that the bot restarts, in the replies that they have.
  expect(running.message()?.content).toMatch(/restarting.*after step \d+/s);
  expect(running.message()?.attachments).toHaveLength(1);
  expect(waiting.message()?.content).toMatch(/restarting.*place is kept/s);
  expect(sandbox.messages()).toHaveLength(2);
  await world.restart();
  await done(waiting);
  await done(running);
  expect(allPictures(sandbox)).toHaveLength(2);
  expect(sandbox.messages()).toHaveLength(2);
}, 180_000);

test('buttons of messages from before a restart work, and outlive the store', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const user = sandbox.user('ada');
  const message = await done(
    await user.command('imagine', { prompt: 'old fox', steps: 6, seed: 3 }),
  );
  expect(await world.bot.end('SIGTERM')).toBe(0);
  await world.restart();
  const again = await done(await user.click(message, /^reroll:/));
  expect(again.content).toContain('old fox');
  await done(await user.click(message, /^vary:.*:subtle$/));
  // An empty store: the parameters come from the PNG.
  expect(await world.bot.end('SIGTERM')).toBe(0);
  await world.restart({ YLEM_DATA_DIR: `${world.dataDirectory}/empty` });
  const fromPng = await done(await user.click(message, /^reroll:/));
  expect(fromPng.content).toContain('old fox');
  expect(fromPng.content).toContain('6 steps');
  const edit = await user.click(message, /^edit:/);
  await edit.acknowledged;
  expect(JSON.stringify(edit.modal)).toContain('old fox');
  const steps = await user.click(message, /^steps:/);
  const told = await steps.waitFor();
  expect(told.content).toContain('no longer know');
}, 180_000);

test('commands are registered once and again only when they differ', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const puts = () =>
    sandbox.requests.filter((r) => r.method === 'PUT' && r.path.endsWith('/commands')).length;
  expect(puts()).toBe(1);
  await world.bot.end('SIGTERM');
  await world.restart();
  await done(await sandbox.user('ada').command('imagine', { prompt: 'x', steps: 3 }));
  expect(puts()).toBe(1);
});

test('ten jobs and three jobs: people take turns', async () => {
  world = await startWorld({
    YLEM_QUEUE_PER_USER: '20',
    YLEM_QUEUE_TOTAL: '50',
    YLEM_MODEL: TINY_MODEL,
  });
  const { sandbox } = world;
  const first = await sandbox.user('ada').command('imagine', { ...LONG, size: '96x96' });
  await first.waitFor((m) => customIds(m).length > 0);
  // The engine holds its breath until everybody has asked, however fast this machine is.
  const engines = children(world.bot.child.pid);
  for (const pid of engines) process.kill(pid, 'SIGSTOP');
  const many = [];
  for (let n = 0; n < 9; n++) {
    many.push(await sandbox.user('ada').command('imagine', { prompt: 'many', steps: 10, seed: n }));
  }
  for (const one of many) await one.waitFor((m) => customIds(m).length > 0);
  const few = [];
  for (let n = 0; n < 3; n++) {
    few.push(await sandbox.user('ben').command('imagine', { prompt: 'few', steps: 10, seed: n }));
  }
  for (const one of few) await one.waitFor((m) => customIds(m).length > 0);
  for (const pid of engines) process.kill(pid, 'SIGCONT');
  const order: string[] = [];
  await sandbox.until(
    () => {
      for (const m of sandbox.messages().filter(isDone))
        if (!order.includes(m.id)) order.push(m.id);
      return order.length === 13;
    },
    { what: 'thirteen pictures', timeout: 55_000 },
  );
  const places = few.map((one) => order.indexOf(one.message()?.id ?? ''));
  // Ben's three come in turn with Ada's: he is done long before her ten are.
  expect(Math.max(...places)).toBeLessThanOrEqual(8);
});

test('asked before the model is loaded, and killed before it is: painted after the restart', async () => {
  world = await startWorld();
  const { sandbox } = world;
  await world.bot.end('SIGTERM');
  const engine = await restartWithoutBreath(world);
  const interaction = await sandbox.user('ada').command('imagine', { prompt: 'early', steps: 5 });
  await interaction.acknowledged;
  await world.bot.end('SIGKILL');
  process.kill(engine, 'SIGKILL');
  await world.restart();
  expect((await done(interaction)).content).toContain('early');
  expect(interaction.messages()).toHaveLength(1);
}, 180_000);

test('what a crash left can be cancelled while the model is still being loaded', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const ada = sandbox.user('ada');
  // Too long to be done before the kill, or before the engine is held, however busy this machine is.
  const interaction = await ada.command('imagine', { ...LONG, size: '320x320' });
  const forming = await interaction.waitFor((m) => m.attachments.length > 0);
  await world.bot.end('SIGKILL');
  const engine = await restartWithoutBreath(world);
  const cancel = await ada.click(forming, /^cancel:/);
  await cancel.acknowledged;
  process.kill(engine, 'SIGCONT');
  await interaction.waitFor((m) => m.content.includes('Cancelled'));
  expect(ada.messages().some((m) => m.content.includes('already ended'))).toBe(false);
  // Whoever asks next is served, and nothing of the cancelled one comes after all.
  await done(await ada.command('imagine', { prompt: 'next', steps: 3 }));
  expect(allPictures(sandbox)).toHaveLength(1);
}, 180_000);

test('of two bots with one token the later leaves the answer of the other alone', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const second = spawnBot({
    DISCORD_TOKEN: sandbox.token,
    DISCORD_API_BASE: sandbox.apiBase,
    YLEM_DATA_DIR: await mkdtemp(join(tmpdir(), 'ylem-second-')),
    YLEM_MODEL: TINY_MODEL,
  });
  try {
    await vi.waitFor(() => expect(second.output()).toContain('"ready"'), SOON);
    const interaction = await sandbox.user('ada').command('imagine', { prompt: 'two', steps: 5 });
    await done(interaction);
    const both = () => `${world?.bot.output()}${second.output()}`;
    await vi.waitFor(() => expect(both()).toContain('another process answers it'), SOON);
    expect(both()).not.toContain('something broke');
    expect(interaction.messages()).toHaveLength(1);
    expect(allPictures(sandbox)).toHaveLength(1);
  } finally {
    await second.end('SIGKILL');
  }
}, 180_000);

test('killed over what is only shown: whoever waits is told, privately, to ask again; what stands is left alone', async () => {
  world = await startWorld();
  const { sandbox } = world;
  const user = sandbox.user('ada');
  const message = await done(await user.command('imagine', { prompt: 'shown', steps: 5 }));
  // Cleo has her answer, and the bot does not hear so.
  const unheard = sandbox.faults.late({ method: 'PATCH', path: '/webhooks/', times: 1000 }, 60_000);
  const stands = await sandbox.user('cleo').click(message, /^steps:/);
  const sheet = await stands.waitFor((m) => m.attachments.length > 0);
  for (const pid of children(world.bot.child.pid)) process.kill(pid, 'SIGSTOP');
  const steps = await user.click(message, /^steps:/);
  expect((await steps.acknowledged).ephemeral).toBe(false);
  const view = await sandbox.user('ben').click(message, /^steps:/);
  expect((await view.acknowledged).ephemeral).toBe(true);
  await world.bot.end('SIGKILL');
  unheard.remove();
  await world.restart();
  for (const [name, interaction] of [
    ['ada', steps],
    ['ben', view],
  ] as const) {
    await sandbox.until(() => interaction.messages().some((m) => m.content.includes('ask again')), {
      what: `the word to ${name}`,
    });
    // Nothing is left that seems to think.
    await sandbox.until(() => interaction.messages().length === 1, { what: 'the end of it' });
    expect(Number(interaction.messages()[0]?.flags) & MessageFlags.Ephemeral).not.toBe(0);
  }
  await vi.waitFor(() => expect(world?.bot.output()).toContain('told who was left waiting'), SOON);
  expect(stands.messages()).toEqual([sheet]);
  await done(await user.command('reroll'));
}, 180_000);
