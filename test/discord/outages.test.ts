// What is tried for how long while Discord answers nothing for minutes: on a clock that the test sets.

import { HTTPError } from 'discord.js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Exchange } from '../../src/discord/exchange.js';
import { LiveReply } from '../../src/discord/live-reply.js';
import { textOnly } from '../../src/discord/message.js';
import type { MessageRest, Sent } from '../../src/discord/rest.js';

// Vitest's clock moves the global timers; the waits under test are promises of Node's.
vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof import('node:timers/promises')>()),
  setTimeout: (ms: number, value: unknown, options: { readonly signal?: AbortSignal } = {}) =>
    new Promise((resolve, reject) => {
      const { signal } = options;
      const cut = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', cut);
        resolve(value);
      }, ms);
      signal?.addEventListener('abort', cut);
    }),
}));

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Discord, which is down for so many minutes from now on: what arrives at it after that. */
function outage(minutes: number) {
  const over = performance.now() + minutes * MINUTE;
  const arrived: string[] = [];
  const edit = async (content: string): Promise<Sent> => {
    if (performance.now() < over)
      throw new HTTPError(503, '', 'PATCH', 'http://x', { files: undefined, body: undefined });
    arrived.push(content);
    return { messageId: '1', paceMs: 0 };
  };
  return { arrived, edit };
}

test('the final state is delivered after an outage of twenty minutes', async () => {
  const { arrived, edit } = outage(20);
  const live = new LiveReply((body) => edit(body.content), vi.fn());
  const outcome = vi.fn();
  void live.finish(textOnly('end')).then(outcome);
  await vi.advanceTimersByTimeAsync(19 * MINUTE);
  expect(outcome).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(3 * MINUTE);
  expect(outcome).toHaveBeenCalledExactlyOnceWith('delivered');
  expect(arrived).toEqual(['end']);
});

test('an outage that outlasts the process leaves the final state to the next one', async () => {
  const { arrived, edit } = outage(Number.POSITIVE_INFINITY);
  const live = new LiveReply((body) => edit(body.content), vi.fn());
  const outcome = vi.fn();
  void live.finish(textOnly('end')).then(outcome);
  await vi.advanceTimersByTimeAsync(40 * MINUTE);
  expect(outcome).not.toHaveBeenCalled();
  live.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(outcome).toHaveBeenCalledExactlyOnceWith('abandoned');
  expect(arrived).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

/** An exchange whose edits go to Discord as it is. */
function exchangeWith(edit: (content: string) => Promise<Sent>): Exchange {
  const interaction = {
    ...{ id: '2', token: 'tok', applicationId: '1', channelId: '5', guildId: '6' },
    ...{ locale: 'en-US', user: { id: '9' }, attachmentSizeLimit: 0 },
  };
  const rest = {
    answer: async () => '77',
    editByToken: (_address: unknown, body: { readonly content: string }) => edit(body.content),
  } as unknown as MessageRest;
  return new Exchange(interaction, rest, Date.now());
}

test('an answer that a person waits for arrives after an outage of some minutes', async () => {
  const { arrived, edit } = outage(5);
  const exchange = exchangeWith(edit);
  await exchange.defer(true);
  const ended = vi.fn();
  void exchange.edit(textOnly('the sheet')).then(() => ended('shown'), ended);
  await vi.advanceTimersByTimeAsync(6 * MINUTE);
  expect(ended).toHaveBeenCalledExactlyOnceWith('shown');
  expect(arrived).toEqual(['the sheet']);
});

test('it is given up when the token it would arrive by is dead', async () => {
  const { arrived, edit } = outage(Number.POSITIVE_INFINITY);
  const exchange = exchangeWith(edit);
  await exchange.defer(true);
  const ended = vi.fn();
  void exchange.edit(textOnly('the sheet')).then(() => ended('shown'), ended);
  await vi.advanceTimersByTimeAsync(15 * MINUTE);
  expect(ended).toHaveBeenCalledExactlyOnceWith(expect.any(HTTPError));
  expect(arrived).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
