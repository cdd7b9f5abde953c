// Prompts as they are shown: harmless, whole characters, recognisable.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut, display, progressBar } from '../../src/discord/display.js';

test('mentions and links are broken up', () => {
  expect(display('@everyone @here')).not.toMatch(/@(everyone|here)/);
  expect(display('<@123> <@&5> <#6>')).not.toMatch(/(?<!\\)</);
  expect(display('see https://example.org/a')).not.toContain('://');
  expect(display('discord.gg/abc')).not.toContain('discord.gg');
});

test('Markdown shows as it was typed', () => {
  expect(display('**fat** ||hidden|| `code`')).toBe(
    '\\*\\*fat\\*\\* \\|\\|hidden\\|\\| \\`code\\`',
  );
  expect(display('# big')).toMatch(/^\\#/);
  expect(display('- item')).toMatch(/^\\-/);
  expect(display('> quote')).toMatch(/^\\>/);
});

test('invisible and direction-changing characters are gone', () => {
  expect(display('a\u200bb\u202Ec\u2066d\ufeffe\u{e0041}')).toBe('abcde');
  expect(display('line one\r\n\tline two\u2028three')).toBe('line one line two three');
});

test('emoji made of several code points stay whole', () => {
  const family = '👩‍👩‍👧‍👦';
  expect(display(family)).toBe(family);
  expect(cut(family.repeat(3), 15)).toBe(`${family}…`);
});

test('whatever is typed becomes one line that pings nobody and fits', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 7000 }), (text) => {
      const shown = display(text);
      expect(shown).not.toMatch(/[\n\r]|@(everyone|here)/);
      expect(shown.length).toBeLessThanOrEqual(1200);
      expect(() => encodeURIComponent(shown)).not.toThrow(); // no half characters
    }),
    { numRuns: 100 },
  );
});

test('the bar is as full as the work is done', () => {
  expect(progressBar(0, 10, 10)).toBe('░'.repeat(10));
  expect(progressBar(5, 10, 10)).toBe('█████░░░░░');
  expect(progressBar(12, 10, 10)).toBe('█'.repeat(10));
  expect(progressBar(0, 0, 4)).toBe('░░░░');
});
