// The REST routes beside interactions: commands, messages by the bot's token, identity, and the
// shapes of all answers.

import { Client, type DiscordAPIError, GatewayIntentBits, Routes } from 'discord.js';
import { expect, test } from 'vitest';
import { openapiChecker } from '../support/openapi.js';
import { bot, connect, open, PAINT, PIXEL } from './support.js';

test('commands keep their id and version while they stay the same', async () => {
  const sandbox = await open();
  const client = await connect(sandbox);
  const { commands } = client.application;
  const facts = async (description: string) => {
    const command = (await commands.set([{ ...PAINT, description }])).first();
    return { id: command?.id, version: command?.version };
  };
  const first = await facts('Paints');
  expect(await facts('Paints')).toEqual(first);
  const changed = await facts('Draws');
  expect(changed.id).toBe(first.id);
  expect(changed.version).not.toBe(first.version);

  const created = await commands.create({ name: 'queue', description: 'Shows the queue' });
  await commands.edit(created, { description: 'Who waits' });
  expect((await commands.fetch(created.id)).description).toBe('Who waits');
  await client.guilds.cache
    .get(sandbox.guildId)
    ?.commands.set([{ name: 'here', description: 'Only here' }]);
  expect(sandbox.commands.map(({ name }) => name)).toEqual(['paint', 'queue', 'here']);
  await commands.delete(created.id);
  expect((await commands.fetch()).map(({ name }) => name)).toEqual(['paint']);
  await expect(commands.fetch(created.id)).rejects.toMatchObject({ status: 404, code: 10063 });
});

test('only the newest requests are remembered', async () => {
  const sandbox = await open({ remembered: 3 });
  for (const name of ['a', 'b', 'c', 'd', 'e']) await fetch(`${sandbox.apiBase}/v10/${name}`);
  expect(sandbox.requests.map(({ path }) => path)).toEqual(['/c', '/d', '/e']);
});

test('localizations are listed only when they are asked for', async () => {
  const sandbox = await open();
  const client = await connect(sandbox);
  await client.application.commands.set([PAINT]);
  const route = Routes.applicationCommands(sandbox.applicationId);
  const plain = (await client.rest.get(route)) as object[];
  expect(plain[0]).not.toHaveProperty('description_localizations');
  const query = new URLSearchParams({ with_localizations: 'true' });
  expect(await client.rest.get(route, { query })).toMatchObject([
    { description_localizations: { de: 'Malt' } },
  ]);
});

test.each<[string, object, string]>([
  ['an upper-case name', { name: 'Paint' }, 'name'],
  ['no description', { description: '' }, 'description'],
  ['an unknown locale', { name_localizations: { xx: 'malen' } }, 'name_localizations'],
  [
    '26 options',
    {
      options: Array.from({ length: 26 }, (_, i) => ({ type: 3, name: `o${i}`, description: 'x' })),
    },
    'options',
  ],
  [
    '26 choices',
    {
      options: [
        {
          type: 3,
          name: 'o',
          description: 'x',
          choices: Array.from({ length: 26 }, (_, i) => ({ name: `${i}`, value: `${i}` })),
        },
      ],
    },
    'choices',
  ],
  [
    'a required option after an optional one',
    {
      options: [
        { type: 3, name: 'a', description: 'x' },
        { type: 3, name: 'b', description: 'x', required: true },
      ],
    },
    'options',
  ],
  [
    'choices and autocomplete',
    {
      options: [
        {
          type: 3,
          name: 'a',
          description: 'x',
          autocomplete: true,
          choices: [{ name: 'x', value: 'x' }],
        },
      ],
    },
    'autocomplete',
  ],
  [
    'a range on a text',
    { options: [{ type: 3, name: 'a', description: 'x', max_value: 5 }] },
    'max_value',
  ],
  [
    '8001 characters',
    {
      options: Array.from({ length: 25 }, (_, i) => ({
        type: 3,
        name: `o${i}`,
        description: 'x',
        choices: Array.from({ length: 4 }, (_v, j) => ({ name: `${j}`, value: `${j}`.repeat(90) })),
      })),
    },
    '_errors',
  ],
])('a command with %s is refused', async (_name, change, place) => {
  const sandbox = await open();
  const client = await connect(sandbox);
  const body = [{ ...PAINT, ...change }];
  const error = await client.rest
    .put(Routes.applicationCommands(sandbox.applicationId), { body })
    .then(
      () => undefined,
      (reason: DiscordAPIError) => reason,
    );
  expect(error).toMatchObject({ status: 400, code: 50035 });
  expect(JSON.stringify(error?.rawError)).toContain(`"${place}"`);
  expect(sandbox.commands).toEqual([]);
});

test('the bot posts, finds, edits and deletes messages of its own', async () => {
  const sandbox = await open();
  const client = await connect(sandbox, {
    intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages],
  });
  const heard: string[] = [];
  client.on('messageCreate', (message) => void heard.push(message.content));
  const channel = await client.channels.fetch(sandbox.channelId);
  if (!channel?.isSendable() || !('messages' in channel)) throw new Error('no text channel');
  const sent = await channel.send({
    content: 'one',
    files: [{ attachment: PIXEL, name: 'p.png' }],
  });
  const nonce = { content: 'two', nonce: 'job-1', enforceNonce: true };
  const [a, b] = [await channel.send(nonce), await channel.send(nonce)];
  expect(a.id).toBe(b.id);
  expect((await channel.messages.fetch({ limit: 10 })).map(({ content }) => content)).toEqual([
    'two',
    'one',
  ]);
  expect((await channel.messages.fetch({ after: sent.id })).size).toBe(1);
  const edited = await sent.edit({ content: 'uno', attachments: [] });
  expect([edited.content, edited.attachments.size]).toEqual(['uno', 0]);
  expect(edited.editedTimestamp).not.toBeNull();
  await sent.delete();
  await expect(sent.fetch(true)).rejects.toMatchObject({ code: 10008 });
  await sandbox.until(() => heard.length === 2);
  expect(heard).toEqual(['one', 'two']);
});

test('routes and tokens that do not exist', async () => {
  const { sandbox, client } = await bot(async () => undefined);
  const get = (path: string, token = sandbox.token) =>
    fetch(`${sandbox.apiBase}/v10${path}`, { headers: { authorization: `Bot ${token}` } });
  expect((await get('/users/@me', 'wrong')).status).toBe(401);
  expect((await get('/nothing')).status).toBe(404);
  expect((await fetch(`${sandbox.apiBase}/v10/gateway`, { method: 'POST' })).status).toBe(405);
  expect(await (await get('/channels/1100000000000000099')).json()).toMatchObject({ code: 10003 });
  expect(await (await get('/guilds/1100000000000000099')).json()).toMatchObject({ code: 10004 });
  expect(
    await (await get(`/webhooks/${sandbox.applicationId}/no-token/messages/@original`)).json(),
  ).toMatchObject({ code: 50027 });
  await expect(
    client.rest.post('/interactions/1/x/callback', { body: { type: 5 } }),
  ).rejects.toMatchObject({ code: 10062 });
  const broken = await fetch(`${sandbox.apiBase}/v10/channels/${sandbox.channelId}/messages`, {
    method: 'POST',
    headers: { authorization: `Bot ${sandbox.token}`, 'content-type': 'application/json' },
    body: '{',
  });
  expect([broken.status, await broken.json()]).toMatchObject([400, { code: 50109 }]);
});

const checker = openapiChecker();

test.skipIf(checker === undefined)(
  'answers have the shapes of the OpenAPI document (skipped without it)',
  async () => {
    const answers: [string, string, number, unknown][] = [];
    const { sandbox, client, errors } = await bot(async (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      const base = `/webhooks/${interaction.applicationId}/${interaction.token}`;
      const components = [
        { type: 1, components: [{ type: 2, style: 1, label: 'x', custom_id: 'x' }] },
      ];
      await call(
        'POST',
        `/interactions/${interaction.id}/${interaction.token}/callback`,
        { type: 5 },
        '?with_response=true',
      );
      await call('PATCH', `${base}/messages/@original`, {
        content: 'x',
        components,
        embeds: [{ title: 'x' }],
      });
      await call('GET', `${base}/messages/@original`);
      await call('POST', base, { content: 'more' });
      await call('DELETE', `${base}/messages/@original`);
    });
    const call = async (method: string, path: string, body?: unknown, query = '') => {
      const response = await fetch(`${sandbox.apiBase}/v10${path}${query}`, {
        method,
        headers: { authorization: `Bot ${sandbox.token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      answers.push([method, path, response.status, text === '' ? undefined : JSON.parse(text)]);
    };
    const { applicationId, guildId, channelId } = sandbox;
    for (const path of [
      '/gateway',
      '/gateway/bot',
      '/users/@me',
      '/applications/@me',
      '/oauth2/applications/@me',
      `/guilds/${guildId}`,
      `/guilds/${guildId}/channels`,
      `/guilds/${guildId}/roles`,
      `/channels/${channelId}`,
      `/applications/${applicationId}/commands`,
      `/channels/${channelId}/messages`,
      '/channels/1100000000000000099',
    ]) {
      await call('GET', path);
    }
    await call('POST', `/channels/${channelId}/messages`, { content: 'x' });
    await client.application.commands.set([PAINT]);
    await sandbox.user().command('paint', { prompt: 'x' });
    await sandbox.until(() => answers.length >= 18 || errors.length > 0, { what: 'all answers' });
    expect(errors).toEqual([]);
    const problems = answers.flatMap(([method, path, status, body]) =>
      (checker?.answerProblems(method, path, status, body) ?? []).map(
        (problem) => `${method} ${path} ${status}: ${problem}`,
      ),
    );
    expect(problems).toEqual([]);
    expect(answers.map(([, , status]) => status)).toContain(204);
  },
);

test.skipIf(checker === undefined)(
  'requests are checked with closed schemas (skipped without the document)',
  async () => {
    const sandbox = await open();
    const client = new Client({ intents: [], rest: { api: sandbox.apiBase } });
    client.rest.setToken(sandbox.token);
    const post = (body: object) =>
      client.rest.post(Routes.channelMessages(sandbox.channelId), { body });
    await post({
      content: 'x',
      allowed_mentions: { parse: [] },
      components: [{ type: 1, components: [{ type: 2, style: 1, label: 'x', custom_id: 'x' }] }],
    });
    await client.rest.put(Routes.applicationCommands(sandbox.applicationId), { body: [PAINT] });
    checker?.checkRequests(sandbox.requests);
    await post({ content: 'x', colour: 'red' });
    expect(checker?.problems(sandbox.requests)).toEqual([expect.stringContaining('colour')]);
    await post({ content: 'x'.repeat(4001) }).catch(() => undefined);
    await client.rest.get(Routes.gateway(), { query: new URLSearchParams({ foo: '1' }) });
    expect(() => checker?.checkRequests(sandbox.requests)).toThrow(
      /colour[\s\S]*4000[\s\S]*unknown query parameter foo/,
    );
  },
);
