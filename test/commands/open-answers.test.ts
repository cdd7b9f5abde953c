// Who was left waiting by a process that ended, against a real HTTP server that stands in for Discord.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MessageFlags } from 'discord-api-types/v10';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StoredAnswers } from '../../src/commands/open-answers.js';
import { MessageRest } from '../../src/discord/rest.js';
import { createLogger } from '../../src/log.js';
import type { Store } from '../../src/store/types.js';
import { freshStore } from '../store/support.js';

let server: Server;
let calls: { readonly method: string; readonly body: string }[];
/** how Discord answers when it is asked for the message */
let message: readonly [status: number, body: unknown];
let store: Store;
let answers: StoredAnswers;

beforeEach(async () => {
  calls = [];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    calls.push({ method: request.method ?? '', body });
    const [status, said] = request.method === 'GET' ? message : [200, { id: '77' }];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(said));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`;
  store = await freshStore();
  const rest = new MessageRest(api, 'bot');
  answers = new StoredAnswers({ store, rest, logger: createLogger('silent') });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Somebody was promised an answer, and the next process tells them what became of it. */
async function tell(ephemeral: boolean): Promise<string[]> {
  const token = {
    ...{ applicationId: '1', interactionId: '2', interactionToken: 'tok', channelId: '5' },
    tokenExpiresAt: Date.now() + 600_000,
  };
  await answers.open({ ...token, messageId: null, ephemeral }, 'en-US');
  await answers.tell(await store.openAnswers());
  await vi.waitFor(async () => expect(await store.openAnswers()).toEqual([]));
  return calls.map(({ method }) => method);
}

const { Ephemeral, Loading } = MessageFlags;
const UNKNOWN_MESSAGE = { code: 10_008, message: 'Unknown Message' };

test.each([true, false])('an answer that stands is left alone; private: %s', async (ephemeral) => {
  message = [200, { id: '77', content: 'Nine steps.', flags: ephemeral ? Ephemeral : 0 }];
  expect(await tell(ephemeral)).toEqual(['GET']);
});

test('an answer that is gone is not made anew', async () => {
  message = [404, UNKNOWN_MESSAGE];
  expect(await tell(true)).toEqual(['GET']);
});

test('whoever still sees "thinking" is told in its place to ask again', async () => {
  message = [200, { id: '77', content: '', flags: Loading | Ephemeral }];
  expect(await tell(true)).toEqual(['GET', 'PATCH']);
  expect(calls[1]?.body).toContain('ask again');
});

test.each<[string, readonly [number, unknown]]>([
  ['"thinking" is seen by all', [200, { id: '77', content: '', flags: Loading }]],
  ['only the end of telling it is missing', [200, { id: '77', content: '…', flags: 0 }]],
  ['Discord does not say what stands there', [503, {}]],
])('where %s the word comes privately', async (_name, said) => {
  message = said;
  expect(await tell(false)).toEqual(['GET', 'PATCH', 'POST', 'DELETE']);
  expect(JSON.parse(calls[2]?.body ?? '{}')).toMatchObject({
    content: expect.stringContaining('ask again'),
    flags: Ephemeral,
  });
});
