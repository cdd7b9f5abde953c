// What one command promises: a row for each picture, whose files reach the store once.

import { expect, test } from 'vitest';
import { promisesFor } from '../../src/commands/promising.js';
import { wishesFor } from '../../src/commands/wishes.js';
import type { Exchange } from '../../src/discord/exchange.js';
import type { OfferedModel } from '../../src/engine/types.js';
import { PARAMETERS, REPLY } from '../store/support.js';

const MODEL = { name: 'hydrogen', fingerprint: '0123456789' } as OfferedModel;
const exchange = { ...REPLY, userId: 'u1', address: () => REPLY } as unknown as Exchange;

test('the first of several pictures takes the reply and the files, the others follow on it', () => {
  const init = { image: new Uint8Array(3), mask: new Uint8Array(2) };
  const promises = promisesFor(wishesFor(PARAMETERS, 3, init), MODEL, exchange, false);
  const rows = promises.map(({ row }) => row);
  const [first, ...others] = rows;
  expect(first).toMatchObject({ init, reply: { messageId: '@original' } });
  for (const { init: from, reply } of others) {
    expect(from).toEqual({ from: first?.id });
    expect(reply.messageId).toBeNull();
  }
  expect(new Set(rows.map(({ id }) => id)).size).toBe(3);
  const times = rows.map(({ createdAt }) => createdAt);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(new Set(times).size).toBe(3);
});

test('this process remembers that there are files, and not the files', () => {
  const init = { image: new Uint8Array(3) };
  const [promise] = promisesFor(wishesFor(PARAMETERS, 1, init), MODEL, exchange, false);
  expect(promise?.generation).toMatchObject({ hasInit: true, hasMask: false });
  expect(promise?.generation).not.toHaveProperty('init');
});

test('each picture keeps the files of the earlier one that it begins from', () => {
  const wishes = ['a', 'b'].map((id) => ({ parameters: PARAMETERS, init: { from: id } }));
  const rows = promisesFor(wishes, MODEL, exchange, false).map(({ row }) => row);
  expect(rows.map(({ init }) => init)).toEqual([{ from: 'a' }, { from: 'b' }]);
});
