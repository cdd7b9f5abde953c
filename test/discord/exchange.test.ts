// What is said in answer to an interaction, against a real HTTP server.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Exchange } from '../../src/discord/exchange.js';
import { failureOf } from '../../src/discord/failures.js';
import { MessageRest } from '../../src/discord/rest.js';

let server: Server;
let exchange: Exchange;
let calls: { readonly way: string; readonly body: string }[];
/** the status of each call, with Discord's code */
let answer: (way: string, body: string) => readonly [number, number];

beforeEach(async () => {
  calls = [];
  answer = () => [200, 0];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const path = decodeURIComponent(request.url ?? '').replace(/^\/api\/v10|\?.*/g, '');
    const way = `${request.method} ${path}`;
    calls.push({ way, body });
    const [status, code] = answer(way, body);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status < 400 ? { id: '77' } : { code, message: 'no' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  const interaction = {
    ...{ id: '2', token: 'tok', applicationId: '1', channelId: '5', guildId: '6' },
    ...{ locale: 'en-US', user: { id: '9' }, attachmentSizeLimit: 0 },
  };
  exchange = new Exchange(interaction, new MessageRest(api, 'bot'), Date.now());
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const ways = () => calls.map(({ way }) => way);

test('where Discord does not take the first answer the person is told all the same', async () => {
  answer = (_way, body) => (body.includes('"type":9') ? [400, 50_035] : [200, 0]);
  await expect(exchange.modal({ custom_id: 'x', title: 'x', components: [] })).rejects.toSatisfy(
    (error) => failureOf(error).kind === 'refused',
  );
  await exchange.refuse('That did not work.');
  expect(ways()).toEqual([
    'POST /interactions/2/tok/callback',
    'POST /interactions/2/tok/callback',
  ]);
  expect(calls[1]?.body).toContain('That did not work.');
  expect(JSON.parse(calls[1]?.body ?? '{}')).toMatchObject({ type: 4, data: { flags: 64 } });
});

test('a public "thinking" is answered before something private follows it, and then deleted', async () => {
  await exchange.defer(false);
  await exchange.refuse('Not like this.');
  expect(ways()).toEqual([
    'POST /interactions/2/tok/callback',
    'PATCH /webhooks/1/tok/messages/@original',
    'POST /webhooks/1/tok',
    'DELETE /webhooks/1/tok/messages/@original',
  ]);
  expect(calls[1]?.body).not.toContain('Not like this.');
  expect(JSON.parse(calls[2]?.body ?? '{}')).toMatchObject({
    flags: 64,
    content: 'Not like this.',
  });
});

test('a private "thinking" becomes the sentence', async () => {
  await exchange.defer(true);
  await exchange.refuse('Not like this.');
  expect(ways()).toEqual([
    'POST /interactions/2/tok/callback',
    'PATCH /webhooks/1/tok/messages/@original',
  ]);
});

test('a refused press on a button is told to the one who pressed alone', async () => {
  await exchange.deferUpdate();
  await exchange.refuse('Not like this.');
  expect(ways()).toEqual(['POST /interactions/2/tok/callback', 'POST /webhooks/1/tok']);
  expect(JSON.parse(calls[1]?.body ?? '{}')).toMatchObject({
    flags: 64,
    content: 'Not like this.',
  });
});

test('no more choices are sent than Discord takes', async () => {
  const choices = Array.from({ length: 40 }, (_, i) => ({ name: `choice ${i}`, value: `${i}` }));
  await exchange.choices(choices);
  const sent = JSON.parse(calls[0]?.body ?? '{}');
  expect(sent).toEqual({ type: 8, data: { choices: choices.slice(0, 25) } });
});
