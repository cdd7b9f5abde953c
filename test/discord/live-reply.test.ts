// The rules of the live reply, against a transport that the test lands by hand.

import { DiscordAPIError, HTTPError, RateLimitError } from 'discord.js';
import { expect, test, vi } from 'vitest';
import { LiveReply } from '../../src/discord/live-reply.js';
import { type MessageBody, textOnly } from '../../src/discord/message.js';
import type { Sent } from '../../src/discord/rest.js';

const request = { files: undefined, body: undefined };

function apiError(status: number, code: number): DiscordAPIError {
  return new DiscordAPIError({ code, message: '' }, code, status, 'PATCH', 'http://x', request);
}

function rateLimit(retryAfter: number): RateLimitError {
  return new RateLimitError({
    global: false,
    hash: '',
    limit: 5,
    majorParameter: '',
    method: 'PATCH',
    retryAfter,
    route: '',
    scope: 'user',
    sublimitTimeout: 0,
    timeToReset: retryAfter,
    url: '',
  });
}

/** Edits in flight, landed or failed by the test. */
class Wire {
  readonly sent: {
    body: MessageBody;
    final: boolean;
    land(paceMs?: number): void;
    fail(error: unknown): void;
  }[] = [];
  most = 0;
  #flying = 0;

  readonly transport = (body: MessageBody, final: boolean): Promise<Sent> =>
    new Promise((resolve, reject) => {
      this.#flying += 1;
      this.most = Math.max(this.most, this.#flying);
      this.sent.push({
        body,
        final,
        land: (paceMs = 0) => {
          this.#flying -= 1;
          resolve({ messageId: '1', paceMs });
        },
        fail: (error) => {
          this.#flying -= 1;
          reject(error);
        },
      });
    });

  get texts(): string[] {
    return this.sent.map((edit) => edit.body.content);
  }

  async count(n: number): Promise<void> {
    await vi.waitFor(() => expect(this.sent.length).toBeGreaterThanOrEqual(n));
  }
}

function setup() {
  const wire = new Wire();
  const refused: unknown[] = [];
  const live = new LiveReply(wire.transport, (error) => refused.push(error));
  return { wire, live, refused };
}

test('one edit is in flight and the newest state wins', async () => {
  const { wire, live } = setup();
  live.show(textOnly('1'));
  live.show(textOnly('2'));
  live.show(textOnly('3'));
  await wire.count(1);
  live.show(textOnly('4'));
  live.show(textOnly('5'));
  wire.sent[0]?.land();
  await wire.count(2);
  const ending = live.finish(textOnly('end'));
  wire.sent[1]?.land();
  await wire.count(3);
  wire.sent[2]?.land();
  expect(await ending).toBe('delivered');
  expect(wire.texts.at(-1)).toBe('end');
  expect(wire.texts).toContain('5');
  expect(wire.texts).not.toContain('2');
  expect(wire.texts).not.toContain('4');
  expect(wire.most).toBe(1);
});

test('a picture is asked for only when the last edit has landed', async () => {
  const { wire, live } = setup();
  let asked = 0;
  live.follow(async () => textOnly(String(++asked)));
  await wire.count(1);
  expect(asked).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toBe(1);
  wire.sent[0]?.land();
  await wire.count(2);
  expect(asked).toBe(2);
  wire.sent[1]?.land(60_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toBe(2); // its rate limit is used up
  live.close();
});

test('the final state does not wait for a rate limit that holds previews back', async () => {
  const { wire, live } = setup();
  live.show(textOnly('preview'));
  await wire.count(1);
  wire.sent[0]?.land(3_600_000);
  live.show(textOnly('later preview'));
  const ending = live.finish(textOnly('end'));
  await wire.count(2);
  wire.sent[1]?.land();
  expect(await ending).toBe('delivered');
  expect(wire.texts).toEqual(['preview', 'end']);
});

test('a source that never answers does not hold the final state back', async () => {
  const { wire, live } = setup();
  live.follow(() => new Promise(() => {}));
  const ending = live.finish(textOnly('end'));
  await wire.count(1);
  wire.sent[0]?.land();
  expect(await ending).toBe('delivered');
});

test('a picture that comes after the final state is not shown', async () => {
  const { wire, live } = setup();
  let give: (body: MessageBody) => void = () => {};
  live.follow(() => new Promise((resolve) => (give = resolve)));
  const ending = live.finish(textOnly('end'));
  give(textOnly('too late'));
  await wire.count(1);
  wire.sent[0]?.land();
  expect(await ending).toBe('delivered');
  await new Promise((resolve) => setImmediate(resolve));
  expect(wire.texts).toEqual(['end']);
});

test.each([
  ['a 503', new HTTPError(503, '', 'PATCH', 'http://x', request)],
  ['a 429', rateLimit(60)],
  ['a dropped connection', Object.assign(new Error('closed'), { code: 'UND_ERR_SOCKET' })],
])('the final state is repeated after %s', async (_name, error) => {
  const { wire, live } = setup();
  const ending = live.finish(textOnly('end'));
  await wire.count(1);
  wire.sent[0]?.fail(error);
  await wire.count(2);
  wire.sent[1]?.land();
  expect(await ending).toBe('delivered');
  expect(wire.texts).toEqual(['end', 'end']);
});

test('the final state follows a preview that failed', async () => {
  const { wire, live } = setup();
  live.show(textOnly('preview'));
  await wire.count(1);
  const ending = live.finish(textOnly('end'));
  wire.sent[0]?.fail(rateLimit(20));
  await wire.count(2);
  wire.sent[1]?.land();
  expect(await ending).toBe('delivered');
  expect(wire.texts).toEqual(['preview', 'end']);
});

test('a waiting text that could not be sent is sent again, unless a newer one has come', async () => {
  const { wire, live } = setup();
  live.show(textOnly('third in line'));
  await wire.count(1);
  wire.sent[0]?.fail(rateLimit(20));
  await wire.count(2);
  live.show(textOnly('second in line'));
  wire.sent[1]?.fail(rateLimit(20));
  await wire.count(3);
  wire.sent[2]?.land();
  expect(wire.texts).toEqual(['third in line', 'third in line', 'second in line']);
  live.close();
});

test('a deleted message ends everything without another try', async () => {
  const { wire, live } = setup();
  live.show(textOnly('preview'));
  await wire.count(1);
  wire.sent[0]?.fail(apiError(404, 10_008));
  await new Promise((resolve) => setImmediate(resolve));
  live.show(textOnly('another'));
  expect(await live.finish(textOnly('end'))).toBe('gone');
  expect(wire.texts).toEqual(['preview']);
});

test('a state that Discord refuses is reported, and another may end the reply', async () => {
  const { wire, live, refused } = setup();
  const ending = live.finish(textOnly('too large'));
  await wire.count(1);
  wire.sent[0]?.fail(apiError(400, 50_035));
  expect(await ending).toBe('refused');
  expect(refused).toHaveLength(1);
  const again = live.finish(textOnly('a sentence'));
  await wire.count(2);
  wire.sent[1]?.land();
  expect(await again).toBe('delivered');
});

test('a picture that is too large for the way that is left is no bug, and something else may end the reply', async () => {
  const { wire, live, refused } = setup();
  const large = live.finish(textOnly('picture'));
  await wire.count(1);
  wire.sent[0]?.fail(apiError(413, 40_005));
  expect(await large).toBe('too-large');
  expect(refused).toEqual([]);
  const word = live.finish(textOnly('it comes another way'));
  await wire.count(2);
  wire.sent[1]?.land();
  expect(await word).toBe('delivered');
});

test('a farewell follows the edit in flight at once, and nothing follows it', async () => {
  const { wire, live } = setup();
  live.show(textOnly('preview'));
  await wire.count(1);
  live.show(textOnly('never'));
  const left = live.leave(textOnly('back soon'));
  wire.sent[0]?.land(3_600_000);
  await wire.count(2);
  live.show(textOnly('too late'));
  wire.sent[1]?.land();
  await left;
  expect(await live.finish(textOnly('end'))).toBe('abandoned');
  expect(wire.texts).toEqual(['preview', 'back soon']);
});

test('a farewell is tried again after a short wait, and given up for a long one', async () => {
  const { wire, live } = setup();
  const left = live.leave(textOnly('back soon'));
  await wire.count(1);
  wire.sent[0]?.fail(rateLimit(20));
  await wire.count(2);
  wire.sent[1]?.fail(rateLimit(60_000));
  await left;
  expect(wire.texts).toEqual(['back soon', 'back soon']);
});

test('a farewell does not take the place of the end', async () => {
  const { wire, live } = setup();
  const ending = live.finish(textOnly('end'));
  await live.leave(textOnly('back soon'));
  await wire.count(1);
  wire.sent[0]?.land();
  expect(await ending).toBe('delivered');
  expect(wire.texts).toEqual(['end']);
});

test('a pause ends when there is a new way', async () => {
  const { wire, live } = setup();
  live.show(textOnly('1'));
  await wire.count(1);
  wire.sent[0]?.land(3_600_000);
  live.show(textOnly('2'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(wire.texts).toEqual(['1']);
  live.resume();
  await wire.count(2);
  live.close();
});

test('closing gives the final state up and leaves no timer behind', async () => {
  const { wire, live } = setup();
  const ending = live.finish(textOnly('end'));
  await wire.count(1);
  wire.sent[0]?.fail(rateLimit(3_600_000 / 8));
  await new Promise((resolve) => setImmediate(resolve));
  live.close();
  expect(await ending).toBe('abandoned');
});

test('previews that fail are told as the bug they are, and the picture still comes', async () => {
  const wire = new Wire();
  const refused: unknown[] = [];
  const live = new LiveReply(wire.transport, (error) => refused.push(error));
  live.follow(() => Promise.reject(new TypeError('a bug')));
  await vi.waitFor(() => expect(refused).toEqual([new TypeError('a bug')]));
  const finished = live.finish(textOnly('done'));
  await vi.waitFor(() => expect(wire.sent).toHaveLength(1));
  wire.sent[0]?.land();
  expect(await finished).toBe('delivered');
});
