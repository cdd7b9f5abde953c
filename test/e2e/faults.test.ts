// Everything that Discord and the network do wrong during a generation: the final image arrives,
// exactly once.

import { MessageFlags } from 'discord-api-types/v10';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/types.js';
import {
  allPictures,
  canBeStopped,
  customIds,
  done,
  isDone,
  pictures,
  startWorld,
  type World,
} from './support.js';

let world: World;
let sandbox: Sandbox;
beforeAll(async () => {
  world = await startWorld();
  sandbox = world.sandbox;
});
afterEach(() => {
  sandbox.faults.clear();
});
afterAll(async () => {
  await world?.close();
});

/** Edits of a reply, by either token. */
const EDITS = { method: 'PATCH', path: /\/messages\// };

/** Long enough for a few edits on the way. */
const LONG = { prompt: 'weather', steps: 60, size: '96x96' };

async function paint(options: Record<string, string | number | boolean> = LONG) {
  const before = new Set(allPictures(sandbox));
  const user = sandbox.user('ada');
  const interaction = await user.command('imagine', options);
  return {
    user,
    interaction,
    fresh: () => allPictures(sandbox).filter((name) => !before.has(name)),
  };
}

test.each<[string, (sandbox: Sandbox) => { readonly hits: number }]>([
  ['a 429 with headers', (s) => s.faults.rateLimit({ ...EDITS, times: 3 }, { retryAfter: 0.2 })],
  [
    'a 429 without headers',
    (s) => s.faults.rateLimit({ ...EDITS, times: 2 }, { retryAfter: 0.2, headers: false }),
  ],
  [
    'a global 429',
    (s) => s.faults.rateLimit({ ...EDITS, times: 2 }, { retryAfter: 0.2, global: true }),
  ],
  ['500s', (s) => s.faults.status({ ...EDITS, times: 3 }, 500)],
  ['503s', (s) => s.faults.status({ ...EDITS, times: 3 }, 503)],
  ['late answers', (s) => s.faults.late({ ...EDITS, times: 2 }, 400)],
  ['lost answers', (s) => s.faults.lost({ ...EDITS, times: 3 })],
  ['dropped requests', (s) => s.faults.lostBefore({ ...EDITS, times: 3 })],
])('%s on the way', async (_name, fault) => {
  const applied = fault(sandbox);
  const { interaction, fresh } = await paint();
  const message = await done(interaction);
  expect(applied.hits).toBeGreaterThan(0);
  expect(pictures(message)).toHaveLength(1);
  expect(message.attachments).toHaveLength(1);
  expect(fresh()).toHaveLength(1);
});

/** Hits the edit that carries the final picture. */
const FINAL = {
  ...EDITS,
  when: (request: { files: readonly { name: string }[] }) =>
    request.files.some((file) => file.name.startsWith('ylem-')),
};

test.each<[string, (sandbox: Sandbox) => { readonly hits: number }]>([
  ['a 429', (s) => s.faults.rateLimit(FINAL, { retryAfter: 0.2 })],
  ['a 503', (s) => s.faults.status({ ...FINAL, times: 2 }, 503)],
  ['a lost answer', (s) => s.faults.lost({ ...FINAL, times: 2 })],
  ['a dropped request', (s) => s.faults.lostBefore({ ...FINAL, times: 2 })],
  ['a late answer', (s) => s.faults.late(FINAL, 400)],
  ['a dead token', (s) => s.faults.deadToken({ ...FINAL, path: '/webhooks/' })],
])('%s to the final edit itself', async (_name, fault) => {
  const applied = fault(sandbox);
  const { interaction, fresh } = await paint({ prompt: 'last', steps: 5 });
  const message = await done(interaction);
  // The answer that was lost is repeated: wait until the bot is satisfied before counting.
  await sandbox.until(() => {
    const tries = sandbox.requests.filter((r) => FINAL.when(r) && r.path.includes(message.id));
    const last = sandbox.requests.filter((r) => FINAL.when(r)).at(-1);
    return (tries.length > 0 || last !== undefined) && last?.status === 200;
  });
  expect(applied.hits).toBeGreaterThan(0);
  expect(message.attachments).toHaveLength(1);
  expect(fresh()).toHaveLength(1);
});

test('a lost acknowledgement is repeated and makes one reply', async () => {
  sandbox.faults.lost({ method: 'POST', path: '/callback' });
  const { interaction, fresh } = await paint({ prompt: 'lost ack', steps: 5 });
  await done(interaction);
  expect(interaction.messages()).toHaveLength(1);
  expect(fresh()).toHaveLength(1);
});

test('an acknowledgement that never gets through leaves nothing behind', async () => {
  sandbox.faults.status({ method: 'POST', path: '/callback', times: 100 }, 503);
  const { user, interaction, fresh } = await paint({ prompt: 'void', steps: 5 });
  await expect(interaction.acknowledged).rejects.toThrow();
  sandbox.faults.clear();
  const answer = await (await user.command('queue')).waitFor();
  expect(answer.content).toContain('Nothing waits');
  expect(fresh()).toEqual([]);
});

test('a follow-up whose answer was lost is not made twice', async () => {
  sandbox.faults.lost({ method: 'POST', path: /^\/webhooks\/\d+\/[^/]+$/ });
  const { interaction, fresh } = await paint({
    prompt: 'two',
    steps: 30,
    count: 2,
    size: '96x96',
  });
  await sandbox.until(() => interaction.messages().filter(isDone).length === 2, {
    what: 'two pictures',
  });
  expect(interaction.messages()).toHaveLength(2);
  expect(fresh()).toHaveLength(2);
});

test('a private message whose making was never confirmed goes with a press on its Cancel', async () => {
  sandbox.faults.lost({ method: 'POST', path: /^\/webhooks\/\d+\/[^/]+$/ });
  const { user, interaction, fresh } = await paint({
    prompt: 'two',
    steps: 30,
    count: 2,
    size: '96x96',
    private: true,
  });
  const shown = () => interaction.messages().filter(isDone).length;
  await sandbox.until(() => shown() === 2, { what: 'two pictures' });
  const twin = interaction.messages().find((message) => !isDone(message));
  if (twin === undefined) throw new Error('no message was left behind');
  // Until the bot has heard that the second picture stands it takes no message for a twin.
  await sandbox.until(() => sandbox.requests.filter((r) => FINAL.when(r)).at(-1)?.status === 200, {
    what: 'the answer to the last picture',
  });
  await (await user.command('queue')).waitFor((m) => m.content.includes('Nothing waits'));
  const cancel = await user.click(twin, /^cancel:/);
  await sandbox.until(() => !interaction.messages().some(({ id }) => id === twin.id), {
    what: 'the end of the twin',
  });
  const told = await user.waitFor((m) => m.content.includes('already ended'));
  expect((told.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  expect(cancel.messages().map(({ id }) => id)).toContain(told.id);
  expect(shown()).toBe(2);
  expect(fresh()).toHaveLength(2);
});

test('a reply that somebody deletes is not written to again', async () => {
  sandbox.faults.unknownMessage({ ...EDITS, times: 1000 });
  const { interaction } = await paint();
  await sandbox.until(() => sandbox.requests.some((r) => r.code === 10_008), {
    what: 'the refused edit',
  });
  const { user } = await paint({ prompt: 'next', steps: 3 });
  await sandbox.until(() => {
    const mine = sandbox.requests.filter((r) => r.path.includes(interaction.token));
    return mine.length > 0;
  });
  const answer = await user.command('queue');
  await answer
    .waitFor((m) => m.content.includes('Nothing waits'), { timeout: 1000 })
    .catch(() => {});
  const refused = sandbox.requests.filter(
    (r) => r.path.includes(interaction.token) && r.code === 10_008,
  );
  expect(refused).toHaveLength(1);
});

test('a public reply whose token has died is completed by the bot itself', async () => {
  const { interaction, fresh } = await paint({ ...LONG, steps: 150, size: '128x128' });
  await interaction.waitFor((m) => m.attachments.length > 0);
  sandbox.faults.expire(interaction);
  await done(interaction);
  expect(interaction.messages()).toHaveLength(1);
  expect(fresh()).toHaveLength(1);
  expect(sandbox.pings).toEqual([]);
});

test('a reply where the bot may no longer write reaches its owner with what they do next', async () => {
  const { user, interaction, fresh } = await paint({ ...LONG, steps: 150, size: '128x128' });
  await interaction.waitFor((m) => m.attachments.length > 0);
  sandbox.faults.expire(interaction);
  const closed = sandbox.faults.missingAccess({ method: 'PATCH', path: '/channels/', times: 1000 });
  await sandbox.until(() => world.bot.output().includes('may not write in this channel'), {
    what: 'the word to the one who runs the bot',
  });
  expect(fresh()).toEqual([]);
  closed.remove();
  const queue = await user.command('queue');
  const late = await sandbox.until(() => queue.messages().find(isDone), { what: 'the picture' });
  expect((late.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  await (await user.command('models')).waitFor();
  expect(fresh()).toHaveLength(1);
});

test('a picture that only its owner may upload here comes with what they do next', async () => {
  const said = world.bot.output().length;
  const { user, interaction, fresh } = await paint({ ...LONG, steps: 150, size: '128x128' });
  await interaction.waitFor((m) => m.attachments.length > 0);
  sandbox.faults.expire(interaction);
  const narrow = sandbox.faults.status(
    { method: 'PATCH', path: '/channels/', when: (r) => r.files.length > 0, times: 1000 },
    413,
  );
  await interaction.waitFor((m) => m.content.includes('larger than I may upload'));
  expect(fresh()).toEqual([]);
  expect(world.bot.output().slice(said)).not.toContain('something broke');
  narrow.remove();
  const queue = await user.command('queue');
  await sandbox.until(() => queue.messages().find(isDone), { what: 'the picture' });
  await (await user.command('models')).waitFor();
  expect(fresh()).toHaveLength(1);
});

test('a private reply whose token has died stays private, and comes with the next command', async () => {
  const { user, interaction, fresh } = await paint({
    ...LONG,
    steps: 100,
    prompt: 'hush',
    private: true,
    size: '128x128',
  });
  await interaction.waitFor((m) => customIds(m).length > 0);
  sandbox.faults.expire(interaction);
  const notice = await user.waitFor((m) => m.content.includes('private picture'));
  expect(notice.content).not.toContain('hush');
  expect(notice.attachments).toEqual([]);
  expect(fresh()).toEqual([]);
  // The notice tells nobody what it is, and the owner gets it with whatever they do next, once.
  const steps = await user.command('steps');
  await steps.waitFor((m) => m.attachments.length > 0);
  const late = await user.waitFor((m) => isDone(m) && m.content.includes('hush'));
  expect((late.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  expect(steps.messages().map((m) => m.id)).toContain(late.id);
  await (await user.command('queue')).waitFor();
  await (await user.command('models')).waitFor();
  expect(fresh()).toHaveLength(1);
});

test('a press on a private reply whose token has died brings it back within reach', async () => {
  const { user, interaction } = await paint({
    ...LONG,
    steps: 150,
    prompt: 'hush again',
    private: true,
    size: '128x128',
  });
  const forming = await interaction.waitFor(canBeStopped);
  sandbox.faults.expire(interaction);
  await user.click(forming, /^stop:/);
  const message = await done(interaction);
  expect(message.content).toContain('hush again');
  expect(interaction.messages()).toHaveLength(1);
});

test('a private picture that took too long comes with what its owner did last, still privately', async () => {
  const { user, interaction, fresh } = await paint({
    ...LONG,
    steps: 150,
    prompt: 'hush for long',
    private: true,
    size: '128x128',
  });
  await interaction.waitFor((m) => customIds(m).length > 0);
  const later = await user.command('queue');
  await later.waitFor();
  const notices = () =>
    sandbox.messages().filter((m) => m.content.includes('private picture')).length;
  const before = notices();
  sandbox.faults.expire(interaction);
  const message = await user.waitFor((m) => isDone(m) && m.content.includes('hush for long'));
  expect((message.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  expect(later.messages().map((m) => m.id)).toContain(message.id);
  expect(
    sandbox
      .user('ben')
      .messages()
      .some((m) => m.id === message.id),
  ).toBe(false);
  expect(notices()).toBe(before);
  expect(fresh()).toHaveLength(1);
});

test.each<[string, (sandbox: Sandbox) => void]>([
  ['sockets that drop and can be resumed', (s) => s.faults.dropSockets(4000)],
  ['sockets that drop for good', (s) => s.faults.dropSockets(4007)],
  ['a session that is invalid but resumable', (s) => s.faults.invalidSession(true)],
  ['a session that is invalid', (s) => s.faults.invalidSession(false)],
  ['a wish to reconnect', (s) => s.faults.reconnect()],
])('%s', async (_name, fault) => {
  const { interaction, fresh } = await paint();
  await interaction.waitFor((m) => customIds(m).length > 0);
  fault(sandbox);
  const message = await done(interaction);
  expect(message.attachments).toHaveLength(1);
  expect(fresh()).toHaveLength(1);
  await sandbox.ready();
  await done((await paint({ prompt: 'after', steps: 3 })).interaction);
});
