// Waiting for something, but not for too long.

import { expect, test } from 'vitest';
import { within } from '../../src/discord/patience.js';

test('what comes in time is given, and what fails in time fails', async () => {
  expect(await within(60_000, Promise.resolve('soon'))).toBe('soon');
  await expect(within(60_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});

test('what comes late is not waited for, and is not lost', async () => {
  const slow = deferred();
  expect(await within(1, slow.promise)).toBeUndefined();
  slow.resolve('late');
  expect(await slow.promise).toBe('late');
});

test('what fails late is no unhandled rejection', async () => {
  const slow = deferred();
  expect(await within(1, slow.promise)).toBeUndefined();
  slow.reject(new Error('late'));
  await new Promise(setImmediate);
});

function deferred() {
  let resolve: (value: string) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<string>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}
