// The gateway as an unmodified discord.js client meets it: login, resume with what was missed,
// sessions that are gone, dead connections.

import { Client, Events, GatewayIntentBits, type Interaction } from 'discord.js';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { bot, connect, open, PAINT } from './support.js';

const reply = async (interaction: Interaction) => {
  if (interaction.isChatInputCommand())
    await interaction.reply(interaction.options.getString('prompt', true));
};

test('a client logs in and knows the server, the channel and itself', async () => {
  const sandbox = await open();
  expect(sandbox.online).toBe(false);
  const client = await connect(sandbox);
  expect(sandbox.online).toBe(true);
  expect(client.user.id).toBe(sandbox.applicationId);
  expect(client.application.id).toBe(sandbox.applicationId);
  expect(client.guilds.cache.get(sandbox.guildId)?.channels.cache.has(sandbox.channelId)).toBe(
    true,
  );
  const application = await client.application.fetch();
  expect(application.name).toBe('Ylem');
  await client.destroy();
  await sandbox.until(() => !sandbox.online);
});

test('a wrong token is refused', async () => {
  const sandbox = await open();
  const client = new Client({
    intents: [GatewayIntentBits.Guilds],
    rest: { api: sandbox.apiBase },
  });
  onTestFinished(() => client.destroy());
  await expect(client.login(`${sandbox.token}x`)).rejects.toThrow('invalid token');
});

test('a dropped client resumes and gets the interactions that it missed, once', async () => {
  const seen: string[] = [];
  const { sandbox, client, errors } = await bot(async (interaction) => {
    seen.push(interaction.id);
    await reply(interaction);
  });
  const resumed = new Promise<number>((done) =>
    client.once(Events.ShardResume, (_id, missed) => done(missed)),
  );
  sandbox.faults.dropSockets();
  const interaction = await sandbox.user().command('paint', { prompt: 'while you were away' });
  expect((await interaction.waitFor()).content).toBe('while you were away');
  expect(await resumed).toBeGreaterThan(0);
  expect(seen).toEqual([interaction.id]);
  expect(errors).toEqual([]);
});

test('RECONNECT and a resumable INVALID_SESSION lead to a resume', async () => {
  const { sandbox, client } = await bot(reply);
  for (const trouble of [
    () => sandbox.faults.reconnect(),
    () => sandbox.faults.invalidSession(true),
  ]) {
    const resumed = new Promise<void>((done) => client.once(Events.ShardResume, () => done()));
    trouble();
    await resumed;
  }
  expect((await (await sandbox.user().command('paint', { prompt: 'on' })).waitFor()).content).toBe(
    'on',
  );
});

test('after an INVALID_SESSION that cannot be resumed the client identifies anew', async () => {
  const { sandbox, client } = await bot(reply);
  const ready = new Promise<void>((done) => client.once(Events.ShardReady, () => done()));
  sandbox.faults.invalidSession(false);
  await ready;
  expect((await (await sandbox.user().command('paint', { prompt: 'new' })).waitFor()).content).toBe(
    'new',
  );
});

test('a client whose heartbeats stay unanswered gives the connection up and resumes', async () => {
  const { sandbox, client } = await bot(reply, { limits: { heartbeat: 150 } });
  const resumed = new Promise<void>((done) => client.once(Events.ShardResume, () => done()));
  sandbox.faults.muteHeartbeats();
  await resumed;
  expect(sandbox.online).toBe(true);
});

/** A bare socket: what it got, and how it was closed. */
async function raw(url: string) {
  const socket = new WebSocket(url);
  onTestFinished(() => socket.terminate());
  const frames: { op: number; t: string | null; s: number | null; d: unknown }[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  const closed = new Promise<number>((done) => socket.once('close', done));
  await new Promise((done, failed) => {
    socket.once('open', done);
    socket.once('error', failed);
  });
  return {
    socket,
    frames,
    closed,
    send: (op: number, d: unknown) => socket.send(JSON.stringify({ op, d })),
  };
}

test('a client that never beats is disconnected', async () => {
  const sandbox = await open({ limits: { heartbeat: 50 } });
  const { closed } = await raw(`ws://127.0.0.1:${sandbox.port}/gateway?v=10&encoding=json`);
  expect(await closed).toBe(4000);
});

test('the protocol is guarded by close codes', async () => {
  const sandbox = await open();
  const url = `ws://127.0.0.1:${sandbox.port}/gateway`;
  const cases: readonly [string, string, number][] = [
    ['?v=9', '', 4012],
    ['?v=10&compress=zlib-stream', '', 4002],
    ['?v=10', 'no json', 4002],
    ['?v=10', '{"op":42}', 4001],
    ['?v=10', '{"op":3,"d":{}}', 4003],
    ['?v=10', '{"op":2,"d":{"token":"wrong","intents":1}}', 4004],
    ['?v=10', `{"op":2,"d":{"token":"${sandbox.token}"}}`, 4013],
    ['?v=10', `{"op":2,"d":{"token":"${sandbox.token}","intents":1,"shard":[1,1]}}`, 4010],
  ];
  for (const [query, text, code] of cases) {
    const { socket, closed } = await raw(url + query);
    if (text) socket.send(text);
    expect([text, await closed]).toEqual([text, code]);
  }
});

test('an unknown session and a sequence from the future are not resumed', async () => {
  const sandbox = await open();
  const client = await connect(sandbox);
  await client.application.commands.set([PAINT]);
  const url = `ws://127.0.0.1:${sandbox.port}/gateway?v=10&encoding=json`;
  const first = await raw(url);
  first.send(2, { token: sandbox.token, intents: 1 });
  const ready = await sandbox.until(() => first.frames.find(({ t }) => t === 'READY'));
  const { session_id } = ready.d as { session_id: string };
  for (const data of [
    { token: sandbox.token, session_id: 'unknown', seq: 0 },
    { token: sandbox.token, session_id, seq: 99 },
  ]) {
    const { frames, send } = await raw(url);
    send(6, data);
    expect(await sandbox.until(() => frames.find(({ op }) => op === 9))).toMatchObject({
      d: false,
    });
  }
});
