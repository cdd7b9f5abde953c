// Which way a reply takes to Discord, against a real HTTP server.

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../../src/discord/failures.js';
import { ORIGINAL, type ReplyAddress, textOnly } from '../../src/discord/message.js';
import { MessageRest } from '../../src/discord/rest.js';
import { ReplyTransport } from '../../src/discord/transport.js';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
}

let server: Server;
let api: string;
let calls: Call[];
/** decides each answer: a status with JSON, or 'drop' */
let answer: (call: Call) => { status: number; json: unknown } | 'drop';

async function read(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

beforeEach(async () => {
  calls = [];
  answer = () => ({ status: 200, json: { id: '77' } });
  server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url ?? '').replace('/api/v10', '');
    const call = { method: request.method ?? '', path, body: await read(request) };
    calls.push(call);
    const reply = answer(call);
    if (reply === 'drop') request.socket.destroy();
    else {
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reply.json));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function transport(address: Partial<ReplyAddress>, unsure = false) {
  const learned: string[] = [];
  let announced = 0;
  const made = new ReplyTransport({
    rest: new MessageRest(api, 'bot'),
    address: {
      applicationId: '1',
      interactionId: '2',
      interactionToken: 'tok',
      tokenExpiresAt: Date.now() + 60_000,
      channelId: '5',
      messageId: ORIGINAL,
      ephemeral: false,
      ...address,
    },
    marker: 'gen1',
    unsure,
    privateNotice: textOnly('a private picture has ended'),
    hooks: {
      async beforeNewMessage() {
        announced += 1;
      },
      onMessage: (id) => learned.push(id),
    },
  });
  return { transport: made, learned, announced: () => announced };
}

const ways = () => calls.map((call) => `${call.method} ${call.path}`);

test('a living token edits the reply, and its id is learned', async () => {
  const { transport: t, learned } = transport({});
  await t.send(textOnly('a'), false);
  await t.send(textOnly('b'), true);
  expect(ways()).toEqual([
    'PATCH /webhooks/1/tok/messages/@original',
    'PATCH /webhooks/1/tok/messages/77',
  ]);
  expect(learned).toEqual(['77']);
  expect(calls.every((call) => JSON.stringify(call.body.allowed_mentions) === '{"parse":[]}')).toBe(
    true,
  );
});

test('after the token has died the bot edits its own message', async () => {
  const { transport: t } = transport({ messageId: '77' });
  answer = (call) =>
    call.path.startsWith('/webhooks')
      ? { status: 401, json: { code: 50_027, message: 'Invalid Webhook Token' } }
      : { status: 200, json: { id: '77' } };
  await t.send(textOnly('end'), true);
  await t.send(textOnly('end'), true);
  expect(ways()).toEqual([
    'PATCH /webhooks/1/tok/messages/77',
    'PATCH /channels/5/messages/77',
    'PATCH /channels/5/messages/77',
  ]);
});

test('a thread that was archived meanwhile takes a new message, which opens it again, at the end alone', async () => {
  const gone = { messageId: '77', tokenExpiresAt: Date.now() - 1 };
  const { transport: t, announced } = transport(gone);
  answer = (call) =>
    call.method === 'PATCH'
      ? { status: 400, json: { code: 50_083, message: 'Thread is archived' } }
      : { status: 200, json: { id: '78' } };
  await expect(t.send(textOnly('a'), false)).rejects.toSatisfy(
    (error) => failureOf(error).kind === 'forbidden',
  );
  expect((await t.send(textOnly('end'), true)).messageId).toBe('78');
  expect(announced()).toBe(1);
  expect(ways()).toEqual([
    'PATCH /channels/5/messages/77',
    'PATCH /channels/5/messages/77',
    'POST /channels/5/messages',
  ]);
});

test("the bot's own token that is no longer good is no answer about the message", async () => {
  const { transport: t } = transport({ messageId: '77', tokenExpiresAt: Date.now() - 1 });
  answer = () => ({ status: 401, json: { code: 0, message: '401: Unauthorized' } });
  // Once refused by Discord, then by discord.js, which has forgotten it.
  for (let time = 0; time < 2; time++) {
    await expect(t.send(textOnly('end'), true)).rejects.toSatisfy(
      (error) => failureOf(error).kind === 'later',
    );
  }
  expect(calls).toHaveLength(1);
});

test.each([
  [413, 40_005],
  [400, 50_045],
  [413, 0],
])('a file that is too large for this way is told from a bug: %i, %i', async (status, code) => {
  const { transport: t } = transport({});
  answer = () => ({ status, json: { code, message: 'Request entity too large' } });
  await expect(t.send(textOnly('end'), true)).rejects.toSatisfy(
    (error) => failureOf(error).kind === 'too-large',
  );
});

test('a call has its time, and an upload as much more as it carries', async () => {
  const rest = new MessageRest(api, 'bot', { call: 100, byte: 1 / 50 });
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    request.resume();
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"id":"77"}');
    }, 400);
  });
  await expect(rest.editByBot('5', '77', textOnly('a'))).rejects.toSatisfy((error) => {
    const failure = failureOf(error);
    return failure.kind === 'later' && failure.lost;
  });
  const file = { name: 'a.png', type: 'image/png', bytes: new Uint8Array(1_000_000) };
  const sent = await rest.editByBot('5', '77', { ...textOnly('a'), files: [file] });
  expect(sent.messageId).toBe('77');
});

test('an expired token is not even tried', async () => {
  const { transport: t } = transport({ messageId: '77', tokenExpiresAt: Date.now() - 1 });
  await t.send(textOnly('end'), true);
  expect(ways()).toEqual(['PATCH /channels/5/messages/77']);
});

test('a private reply out of reach is not made public: a notice without it, and only at the end', async () => {
  const { transport: t, announced } = transport({
    messageId: '77',
    ephemeral: true,
    tokenExpiresAt: Date.now() - 1,
  });
  await t.send(textOnly('preview'), false);
  expect(calls).toEqual([]);
  await t.send(textOnly('the secret prompt'), true);
  expect(ways()).toEqual(['POST /channels/5/messages']);
  expect(calls[0]?.body.content).toBe('a private picture has ended');
  expect(calls[0]?.body).toMatchObject({ nonce: 'gen1', enforce_nonce: true });
  expect(announced()).toBe(1);
});

const LATER = {
  interactionId: '3',
  interactionToken: 'later',
  channelId: '6',
  tokenExpiresAt: Number.MAX_SAFE_INTEGER,
};

test('a press on a reply makes it reachable again, under the name that the new token gives it', async () => {
  const { transport: t } = transport({
    messageId: '77',
    ephemeral: true,
    tokenExpiresAt: Date.now() - 1,
  });
  expect(t.canEdit).toBe(false);
  t.renew(LATER, '77');
  expect(t.canEdit).toBe(true);
  await t.send(textOnly('preview'), false);
  await t.send(textOnly('end'), true);
  expect(ways()).toEqual([
    'PATCH /webhooks/1/later/messages/@original',
    'PATCH /webhooks/1/later/messages/@original',
  ]);
});

test('a token that is refused while a fresh one has come is not the end of the way', async () => {
  const { transport: t } = transport({ messageId: '77', ephemeral: true });
  answer = (call) => {
    if (!call.path.includes('/tok/')) return { status: 200, json: { id: '77' } };
    t.renew(LATER, '77');
    return { status: 401, json: { code: 50_027, message: 'Invalid Webhook Token' } };
  };
  await t.send(textOnly('end'), true);
  expect(ways()).toEqual([
    'PATCH /webhooks/1/tok/messages/77',
    'PATCH /webhooks/1/later/messages/@original',
  ]);
});

test('a private reply out of reach follows what its owner did later, privately and once', async () => {
  const { transport: t, learned } = transport({
    messageId: '77',
    ephemeral: true,
    tokenExpiresAt: Date.now() - 1,
  });
  t.relieve(LATER);
  answer = () => ({ status: 200, json: { id: '99' } });
  await t.send(textOnly('preview'), false);
  expect(calls).toEqual([]);
  await t.send(textOnly('the secret prompt'), true);
  expect(ways()).toEqual(['POST /webhooks/1/later?wait=true']);
  expect(calls[0]?.body).toMatchObject({ content: 'the secret prompt', flags: 64 });
  expect(learned).toEqual(['99']);
  await t.send(textOnly('changed'), true);
  expect(ways()[1]).toBe('PATCH /webhooks/1/later/messages/99');
});

test('a private reply whose every token is dead ends with the notice that tells nothing', async () => {
  const { transport: t } = transport({
    messageId: '77',
    ephemeral: true,
    tokenExpiresAt: Date.now() - 1,
  });
  t.relieve(LATER);
  answer = (call) =>
    call.path.startsWith('/webhooks')
      ? { status: 401, json: { code: 50_027, message: 'Invalid Webhook Token' } }
      : { status: 200, json: { id: '78' } };
  await t.send(textOnly('the secret prompt'), true);
  expect(ways()).toEqual(['POST /webhooks/1/later?wait=true', 'POST /channels/5/messages']);
  expect(calls[1]?.body.content).toBe('a private picture has ended');
});

test.each([
  ['cannot be taken just now', 503, 0, 'later'],
  ['is a bug', 400, 50_035, 'refused'],
] as const)(
  'a private message that %s is not replaced by the notice',
  async (_name, status, code, kind) => {
    const { transport: t } = transport({
      messageId: '77',
      ephemeral: true,
      tokenExpiresAt: Date.now() - 1,
    });
    t.relieve(LATER);
    answer = () => ({ status, json: { code, message: 'no' } });
    await expect(t.send(textOnly('the secret prompt'), true)).rejects.toSatisfy(
      (error) => failureOf(error).kind === kind,
    );
    expect(ways()).toEqual(['POST /webhooks/1/later?wait=true']);
    expect(t.noticed).toBe(false);
  },
);

test('a follow-up whose making was not confirmed is found again instead of made twice', async () => {
  const { transport: t, learned } = transport({ messageId: null });
  answer = (call) => {
    if (call.method === 'POST') return 'drop';
    if (call.method === 'GET') {
      const components = [{ type: 1, components: [{ type: 2, custom_id: 'cancel:gen1' }] }];
      return {
        status: 200,
        json: [{ id: '88', author: { id: '1' }, components, attachments: [] }],
      };
    }
    return { status: 200, json: { id: '88' } };
  };
  const failed = await t.send(textOnly('waiting'), false).catch((error: unknown) => error);
  expect(failureOf(failed)).toMatchObject({ kind: 'later', lost: true });
  await t.send(textOnly('end'), true);
  expect(ways().map((way) => way.split('?')[0])).toEqual([
    'POST /webhooks/1/tok',
    'GET /channels/5/messages',
    'PATCH /webhooks/1/tok/messages/88',
  ]);
  expect(learned).toEqual(['88']);
});

test('what was begun before a crash and never arrived is made', async () => {
  const { transport: t } = transport({ messageId: null, tokenExpiresAt: Date.now() - 1 }, true);
  answer = (call) =>
    call.method === 'GET' ? { status: 200, json: [] } : { status: 200, json: { id: '99' } };
  await t.send(textOnly('end'), true);
  expect(ways().map((way) => way.split('?')[0])).toEqual([
    'GET /channels/5/messages',
    'POST /channels/5/messages',
  ]);
});
