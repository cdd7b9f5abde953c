// The page's API: state, live events, interactions, uploads, and that other origins are refused.

import { request } from 'node:http';
import { MessageFlags } from 'discord.js';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { localeFor } from '../../src/sandbox/command-body.js';
import type { Sandbox } from '../../src/sandbox/types.js';
import { bot, open, PIXEL } from './support.js';

interface Frame {
  readonly type: string;
  readonly nonce?: string;
  readonly message?: { id: string; content: string };
  readonly [key: string]: unknown;
}

async function live(sandbox: Sandbox, user: string): Promise<Frame[]> {
  const socket = new WebSocket(`ws://127.0.0.1:${sandbox.port}/page/live?user=${user}`);
  onTestFinished(() => socket.terminate());
  const frames: Frame[] = [];
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  await sandbox.until(() => frames[0]?.type === 'hello');
  return frames;
}

const state = async (sandbox: Sandbox, user = '') => {
  const response = await fetch(`${sandbox.url}page/state${user && `?user=${user}`}`);
  return (await response.json()) as {
    me: { id: string };
    users: { id: string; name: string }[];
    bot: { online: boolean };
    commands: { id: string; name: string; description_localizations: unknown }[];
    messages: { content: string }[];
  };
};

const post = (
  sandbox: Sandbox,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
) =>
  fetch(`${sandbox.url}page/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

test('from the state over a command, its choices and its modal to the answer', async () => {
  const { sandbox, errors } = await bot(async (interaction) => {
    if (interaction.isAutocomplete()) await interaction.respond([{ name: 'A', value: 'a' }]);
    if (interaction.isChatInputCommand()) {
      const components = [
        { type: 1, components: [{ type: 2, style: 1, label: 'Form', custom_id: 'form' }] },
      ];
      await interaction.reply({
        content: interaction.locale,
        components,
        flags: MessageFlags.Ephemeral,
      });
    }
    if (interaction.isButton()) {
      const field = { type: 4, custom_id: 'f', label: 'Field', style: 1 };
      await interaction.showModal({
        custom_id: 'm',
        title: 'T',
        components: [{ type: 1, components: [field] }],
      });
    }
    if (interaction.isModalSubmit())
      await interaction.reply(interaction.fields.getTextInputValue('f'));
  });
  const first = await state(sandbox);
  expect(first.users.map(({ name }) => name)).toEqual(['Ada', 'Ben', 'Cleo']);
  expect(first).toMatchObject({ bot: { online: true }, me: { id: first.users[0]?.id } });
  const [ada = '', ben = ''] = first.users.map(({ id }) => id);
  const command = first.commands[0];
  expect(command).toMatchObject({ name: 'paint', description_localizations: { de: 'Malt' } });
  const mine = await live(sandbox, ada);
  const others = await live(sandbox, ben);
  const frame = (type: string, nonce: string) =>
    sandbox.until(() => mine.find((one) => one.type === type && one.nonce === nonce), {
      what: `${type} ${nonce}`,
    });

  const prompt = { name: 'prompt', type: 3, value: 'fox' };
  const typed = { name: 'model', type: 3, value: 's', focused: true };
  await post(sandbox, 'interactions', {
    user: ada,
    nonce: '1',
    type: 4,
    command: command?.id,
    options: [prompt, typed],
  });
  expect(await frame('autocomplete', '1')).toMatchObject({ choices: [{ name: 'A', value: 'a' }] });

  const sent = await post(sandbox, 'interactions', {
    user: ada,
    nonce: '2',
    type: 2,
    command: command?.id,
    options: [prompt],
    locale: 'de',
  });
  expect(sent.status).toBe(202);
  const ack = await frame('interaction.ack', '2');
  const message = mine.find(({ type }) => type === 'message.create')?.message;
  expect(ack).toMatchObject({ kind: 4, message_id: message?.id });
  expect(message?.content).toBe('de');
  expect((await state(sandbox, ada)).messages).toHaveLength(1);
  expect((await state(sandbox, ben)).messages).toHaveLength(0);

  await post(sandbox, 'interactions', {
    user: ada,
    nonce: '3',
    type: 3,
    message_id: message?.id,
    custom_id: 'form',
  });
  const modal = await frame('modal', '3');
  expect(modal).toMatchObject({ modal: { custom_id: 'm', title: 'T' } });
  await post(sandbox, 'interactions', {
    user: ada,
    nonce: '4',
    type: 5,
    interaction_id: modal.interaction_id,
    custom_id: 'm',
    fields: { f: 'typed' },
  });
  await frame('interaction.ack', '4');
  expect(mine.some((one) => one.message?.content === 'typed')).toBe(true);

  const dismissed = await post(sandbox, 'dismiss', { user: ada, message_id: message?.id });
  expect(dismissed.status).toBe(204);
  await sandbox.until(() =>
    mine.some(({ type, id }) => type === 'message.delete' && id === message?.id),
  );
  await sandbox.until(() => others.some((one) => one.message?.content === 'typed'));
  expect(others.filter(({ type }) => type.startsWith('message.'))).toHaveLength(1);
  expect(others.some(({ nonce }) => nonce !== undefined)).toBe(false);
  expect(errors).toEqual([]);
});

test('an interaction that nobody answers fails after the limit', async () => {
  const { sandbox } = await bot(async () => undefined, { limits: { acknowledge: 100 } });
  const { users, commands } = await state(sandbox);
  const user = users[0]?.id ?? '';
  const frames = await live(sandbox, user);
  const options = [{ name: 'prompt', type: 3, value: 'x' }];
  await post(sandbox, 'interactions', {
    user,
    nonce: 'n',
    type: 2,
    command: commands[0]?.id,
    options,
  });
  const failed = await sandbox.until(() =>
    frames.find(({ type }) => type === 'interaction.failed'),
  );
  expect(failed).toMatchObject({ nonce: 'n', reason: 'The application did not respond' });
});

test('a file is uploaded once and given to a command', async () => {
  const { sandbox } = await bot(
    async (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      const file = interaction.options.getAttachment('init', true);
      await interaction.reply(
        `${file.name} ${Buffer.from(await (await fetch(file.url)).arrayBuffer()).equals(PIXEL)}`,
      );
    },
    { attachmentLimit: 1000 },
  );
  const { users, commands } = await state(sandbox);
  const user = users[0]?.id ?? '';
  const upload = (bytes: Buffer) => {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(bytes)]), 'in.png');
    return fetch(`${sandbox.url}page/uploads?user=${user}`, { method: 'POST', body: form });
  };
  expect((await upload(Buffer.alloc(1001))).status).toBe(413);
  expect((await upload(Buffer.alloc(200_000))).status).toBe(413);
  const file = (await (await upload(PIXEL)).json()) as { id: string };
  expect(file).toMatchObject({ filename: 'in.png', width: 1, content_type: 'image/png' });
  const options = [
    { name: 'prompt', type: 3, value: 'x' },
    { name: 'init', type: 11, value: file.id },
  ];
  await post(sandbox, 'interactions', {
    user,
    nonce: 'n',
    type: 2,
    command: commands[0]?.id,
    options,
  });
  await sandbox.user().waitFor(({ content }) => content === 'in.png true');
});

test('what the page sends wrongly is answered with a sentence', async () => {
  const { sandbox } = await bot(async () => undefined);
  const { users, commands } = await state(sandbox);
  const good = { user: users[0]?.id, nonce: 'n', type: 2, command: commands[0]?.id, options: [] };
  const answer = async (change: object) => {
    const response = await post(sandbox, 'interactions', { ...good, ...change });
    return [response.status, ((await response.json()) as { error: string }).error];
  };
  expect(await answer({})).toEqual([400, 'The option "prompt" of /paint is required.']);
  expect(await answer({ user: '5' })).toEqual([400, 'There is no such user.']);
  expect(await answer({ command: '5' })).toEqual([409, 'There is no such command any more.']);
  expect(await answer({ nonce: undefined })).toEqual([400, expect.stringContaining('nonce')]);
  expect((await post(sandbox, 'interactions', good, { 'content-type': 'text/plain' })).status).toBe(
    415,
  );
});

/** fetch does not let these headers be set. */
function raw(
  sandbox: Sandbox,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<number> {
  return new Promise((done, failed) => {
    const call = request(
      { host: '127.0.0.1', port: sandbox.port, path, method, headers },
      (response) => {
        response.resume();
        done(response.statusCode ?? 0);
      },
    );
    call.on('error', failed);
    call.end();
  });
}

test('other origins are refused everywhere', async () => {
  const sandbox = await open();
  const own = `127.0.0.1:${sandbox.port}`;
  const evil = { origin: 'https://evil.example' };
  expect(await raw(sandbox, '/page/state', { host: own, origin: `http://${own}` })).toBe(200);
  expect(await raw(sandbox, '/page/state', { host: own, ...evil })).toBe(403);
  expect(await raw(sandbox, '/page/state', { host: own, origin: 'null' })).toBe(403);
  expect(
    await raw(sandbox, '/page/state', { host: own, origin: `http://localhost:${sandbox.port}` }),
  ).toBe(403);
  // DNS rebinding: the address is ours, the name is not.
  expect(await raw(sandbox, '/page/state', { host: `evil.example:${sandbox.port}` })).toBe(403);
  expect(await raw(sandbox, '/page/interactions', { host: own, ...evil }, 'POST')).toBe(403);
  expect(await raw(sandbox, '/api/v10/gateway', { host: own, ...evil })).toBe(403);
  expect(
    await raw(sandbox, '/page/state', {
      host: own,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'no-cors',
    }),
  ).toBe(403);
  for (const path of ['/page/live', '/gateway?v=10']) {
    const socket = new WebSocket(`ws://${own}${path}`, { origin: 'https://evil.example' });
    const message = await new Promise((done) =>
      socket.once('error', (error) => done(error.message)),
    );
    expect(message).toContain('403');
  }
});

test('an attachment needs a signature that holds', async () => {
  const { sandbox } = await bot(async (interaction) => {
    if (interaction.isChatInputCommand())
      await interaction.reply({ files: [{ attachment: PIXEL, name: 'p.png' }] });
  });
  const { attachments } = await (await sandbox.user().command('paint', { prompt: 'x' })).waitFor();
  const url = new URL(attachments[0]?.url ?? '');
  expect((await fetch(url)).status).toBe(200);
  for (const [key, value] of [
    ['hm', 'f'.repeat(64)],
    ['ex', 'ffffffff'],
    ['is', '0'],
  ] as const) {
    const changed = new URL(url);
    changed.searchParams.set(key, value);
    expect((await fetch(changed)).status).toBe(404);
  }
  expect((await fetch(url.origin + url.pathname)).status).toBe(404);
});

test("the browser's language becomes the nearest of Discord's", () => {
  const given = ['de', 'de-DE', 'DE-at', 'en', 'en-AU', 'en-GB', 'pt', 'es-MX', 'sv', 'xx', ''];
  expect(given.map(localeFor)).toEqual([
    'de',
    'de',
    'de',
    'en-US',
    'en-US',
    'en-GB',
    'pt-BR',
    'es-ES',
    'sv-SE',
    'en-US',
    'en-US',
  ]);
});

test('the page gets addresses without a host, the bot whole ones', async () => {
  const heard: string[] = [];
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    heard.push(interaction.options.getAttachment('init', true).url);
    await interaction.reply({
      files: [{ attachment: PIXEL, name: 'p.png' }],
      embeds: [{ image: { url: 'attachment://p.png' } }],
    });
  });
  const { users, commands } = await state(sandbox);
  const user = users[0]?.id ?? '';
  const frames = await live(sandbox, user);
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(PIXEL)]), 'in.png');
  const uploaded = await fetch(`${sandbox.url}page/uploads`, { method: 'POST', body: form });
  const file = (await uploaded.json()) as { id: string; url: string };
  await post(sandbox, 'interactions', {
    user,
    nonce: 'n',
    type: 2,
    command: commands[0]?.id,
    options: [
      { name: 'prompt', type: 3, value: 'x' },
      { name: 'init', type: 11, value: file.id },
    ],
  });
  const made = await sandbox.until(() => frames.find(({ type }) => type === 'message.create'));
  const [shown] = (await state(sandbox)).messages;
  const [{ image }] = (shown as unknown as { embeds: [{ image: { url: string } }] }).embeds;
  expect(image.url).toMatch(/^\/attachments\//);
  expect(made.message).toEqual(shown);
  expect(file.url).toMatch(/^\/attachments\//);
  expect(heard).toEqual([expect.stringContaining(`http://127.0.0.1:${sandbox.port}/attachments/`)]);
  // Through a forward from another port.
  const forwarded = { host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' };
  expect(await raw(sandbox, image.url, forwarded)).toBe(200);
});

test('older messages are had in parts, each only what this person sees', async () => {
  const sandbox = await open();
  const ada = sandbox.user('ada');
  for (let index = 0; index < 450; index += 1) await ada.say(String(index));
  const part = async (path: string) => {
    const response = await fetch(`${sandbox.url}page/${path}`);
    return (await response.json()) as {
      messages: { id: string; content: string }[];
      older: boolean;
    };
  };
  let { messages, older } = await part('state');
  const seen = [...messages];
  while (older) {
    ({ messages, older } = await part(`messages?user=${ada.id}&before=${seen[0]?.id}`));
    expect(messages.length).toBeLessThanOrEqual(200);
    seen.unshift(...messages);
  }
  expect(seen.map(({ content }) => content)).toEqual(
    Array.from({ length: 450 }, (_, at) => `${at}`),
  );
  const { status } = await fetch(`${sandbox.url}page/messages?user=${ada.id}&before=x`);
  expect(status).toBe(400);
});

test('the page is served with its policy, and nothing outside its folder', async () => {
  const sandbox = await open();
  const response = await fetch(sandbox.url);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(response.headers.get('content-security-policy')).toContain("script-src 'self'");
  for (const path of [
    '/../types.ts',
    '/%2e%2e/sandbox.ts',
    '/..%2f..%2f..%2fpackage.json',
    '/nothing.js',
    '/%',
    '/%00.js',
  ]) {
    expect([path, await raw(sandbox, path, { host: '127.0.0.1' })]).toEqual([
      path,
      path === '/%' ? 400 : 404,
    ]);
  }
});
