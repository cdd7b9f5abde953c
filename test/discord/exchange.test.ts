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
/** the status of each call, with Discord's code; undefined: the connection is dropped unanswered */
let answer: (way: string, body: string) => readonly [number, number] | undefined;
/** of an interaction that was made so many ms ago */
let exchangeOf: (age: number) => Exchange;

beforeEach(async () => {
  calls = [];
  answer = () => [200, 0];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const path = decodeURIComponent(request.url ?? '').replace(/^\/api\/v10|\?.*/g, '');
    const way = `${request.method} ${path}`;
    calls.push({ way, body });
    const answered = answer(way, body);
    if (answered === undefined) return void response.destroy();
    const [status, code] = answered;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status < 400 ? { id: '77' } : { code, message: 'no' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  const interaction = {
    ...{ id: '2', token: 'tok', applicationId: '1', channelId: '5', guildId: '6' },
    ...{ locale: 'en-US', user: { id: '9' }, attachmentSizeLimit: 0 },
  };
  const rest = new MessageRest(api, 'bot');
  exchangeOf = (age) => new Exchange(interaction, rest, Date.now() - age);
  exchange = exchangeOf(0);
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

/** A first answer, and after it another one: by then it is too late for a third. */
const LATE = 2790;
const CALLBACK = 'POST /interactions/2/tok/callback';

/** What each call is answered with, in turn, and with the last of them from then on. */
function inTurn(...answers: readonly (readonly [number, number] | undefined)[]) {
  answer = () => answers[Math.min(calls.length, answers.length) - 1];
}

test('an acknowledgement that Discord took, and whose answer came too late, stands', async () => {
  inTurn(undefined, [400, 40_060], [200, 0]);
  const late = exchangeOf(LATE);
  expect(await late.defer(true)).toBeUndefined();
  await late.edit({ content: 'The picture.', components: [], files: [] });
  expect(ways()).toEqual([CALLBACK, CALLBACK, 'PATCH /webhooks/1/tok/messages/@original']);
});

test('an acknowledgement that never arrived is given up when the interaction is void', async () => {
  inTurn(undefined, [404, 10_062]);
  await expect(exchangeOf(LATE).defer(true)).rejects.toSatisfy(
    (error) => failureOf(error).kind === 'gone',
  );
  expect(ways()).toEqual([CALLBACK, CALLBACK]);
});

test('an acknowledgement that is lost again when it is too late is not tried for ever', async () => {
  inTurn(undefined);
  await expect(exchangeOf(LATE).defer(true)).rejects.toSatisfy(
    (error) => failureOf(error).kind === 'later',
  );
  expect(ways()).toEqual([CALLBACK, CALLBACK]);
});

test('an answer of somebody else that comes first is no answer of ours', async () => {
  inTurn([400, 40_060]);
  await expect(exchangeOf(0).defer(true)).rejects.toSatisfy(
    (error) => failureOf(error).kind === 'acknowledged',
  );
  expect(ways()).toEqual([CALLBACK]);
});
