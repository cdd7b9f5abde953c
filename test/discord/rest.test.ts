// Reading rate-limit headers, and custom ids.

import { expect, test } from 'vitest';
import { customId, parseCustomId } from '../../src/discord/custom-id.js';
import { pace } from '../../src/discord/rest.js';

test('edits are spread over the window and one place stays free', () => {
  const headers = (remaining: string, reset: string) =>
    new Headers({ 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset-after': reset });
  expect(pace(headers('4', '4.000'))).toBe(1000);
  expect(pace(headers('2', '3'))).toBe(1500);
  expect(pace(headers('1', '2.5'))).toBe(2500);
  expect(pace(headers('0', '2.5'))).toBe(2500);
  expect(pace(new Headers())).toBe(1000);
});

test('a custom id says again what it was made of', () => {
  const id = customId('view', 'abc_DEF-123', 's', 9, 'r', 'p', 0, 'show');
  expect(parseCustomId(id)).toEqual({
    verb: 'view',
    generation: 'abc_DEF-123',
    args: ['s', '9', 'r', 'p', '0', 'show'],
  });
});

test('foreign custom ids are not understood, too long ones not made', () => {
  expect(parseCustomId('whatever')).toBeUndefined();
  expect(parseCustomId('Reroll:1')).toBeUndefined();
  expect(parseCustomId('reroll:a b')).toBeUndefined();
  expect(() => customId('view', 'x'.repeat(100))).toThrow('100');
});
