// What is made once it is asked for: once for all who ask, and again after a failure.

import { expect, test } from 'vitest';
import { Lazy } from '../../src/pipeline/lazy.js';

test('is made once for all who ask, and again after it failed', async () => {
  let made = 0;
  const fails = new Set([1]);
  const lazy = new Lazy(async () => {
    made++;
    if (fails.has(made)) throw new Error(`failed ${made}`);
    return made;
  });
  expect(await lazy.made()).toBeUndefined();
  const both = await Promise.allSettled([lazy.get(), lazy.get()]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(made).toBe(1);
  expect(await lazy.made()).toBeUndefined();
  expect(await Promise.all([lazy.get(), lazy.get()])).toEqual([2, 2]);
  expect(await lazy.made()).toBe(2);
  lazy.set(7);
  expect(await lazy.get()).toBe(7);
  expect(made).toBe(2);
});
