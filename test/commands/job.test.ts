// A private reply whose token is about to die, against a real HTTP server that stands in for Discord.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Job } from '../../src/commands/job.js';
import { MessageRest } from '../../src/discord/rest.js';
import { newGeneration, REPLY } from '../store/support.js';

interface Call {
  readonly path: string;
  readonly body: { readonly content: string; readonly components: unknown };
}

let server: Server;
let rest: MessageRest;
let calls: Call[];
beforeEach(async () => {
  calls = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = decodeURIComponent(request.url ?? '').replace('/api/v10', '');
    calls.push({ path, body: JSON.parse(Buffer.concat(chunks).toString()) });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: '77' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rest = new MessageRest(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api`, 'bot');
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const MINUTE = 60_000;

function job(minutes: number, ephemeral: boolean): Job {
  const { init: _, ...generation } = newGeneration('gen1', {
    reply: {
      ...REPLY,
      locale: 'en-US',
      messageId: '77',
      ephemeral,
      tokenExpiresAt: Date.now() + minutes * MINUTE,
    },
  });
  return new Job(
    { ...generation, hasInit: false, hasMask: false },
    {
      rest,
      scheduler: 'PNDM',
      unsure: false,
      answered: true,
      hooks: { beforeNewMessage: async () => {}, onMessage: () => {}, onRefused: () => {} },
    },
  );
}

const WAITING = { state: 'waiting', ahead: 3, total: 5, expectedMs: undefined } as const;
const offersToKeep = (call: Call | undefined) =>
  JSON.stringify(call?.body.components).includes('"keep:gen1"');

test('shortly before its end it offers a button; a press takes the button away and goes on', async () => {
  const dying = job(3, true);
  dying.showPlace(WAITING);
  await vi.waitFor(() => expect(calls).toHaveLength(1), { timeout: 20_000 });
  expect(offersToKeep(calls[0])).toBe(true);
  expect(calls[0]?.body.content).toContain('15 minutes');

  const fresh = {
    interactionId: '9',
    interactionToken: 'fresh',
    channelId: REPLY.channelId,
    tokenExpiresAt: Date.now() + 15 * MINUTE,
  };
  dying.renew(fresh, '77');
  dying.showPlace(WAITING);
  // The first edit's pace may still have to pass.
  await vi.waitFor(() => expect(calls).toHaveLength(2), { timeout: 20_000 });
  expect(calls[1]?.path).toBe(`/webhooks/${REPLY.applicationId}/fresh/messages/@original`);
  expect(offersToKeep(calls[1])).toBe(false);
  dying.live.close();
});

test.each([
  ['a private reply with time left', 10, true],
  ['a public reply, which the bot can always change', 3, false],
])('%s offers no such button', async (_name, minutes, ephemeral) => {
  const calm = job(minutes, ephemeral);
  calm.showPlace(WAITING);
  await vi.waitFor(() => expect(calls).toHaveLength(1), { timeout: 20_000 });
  expect(offersToKeep(calls[0])).toBe(false);
  calm.live.close();
});

test('what waits says once that the bot restarts, and makes no message for it', async () => {
  const waiting = job(10, true);
  await waiting.leave();
  expect(calls.map((call) => call.body.content)).toEqual([expect.stringContaining('restarting')]);
  await waiting.leave();
  expect(calls).toHaveLength(1);
  // Out of reach: nothing can be changed, and nothing new is sent.
  await job(-1, true).leave();
  expect(calls).toHaveLength(1);
});
