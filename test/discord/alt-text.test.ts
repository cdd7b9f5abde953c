// What those who cannot see a picture are told of it, in their language.

import { expect, test } from 'vitest';
import { altText } from '../../src/discord/alt-text.js';
import { textsFor } from '../../src/discord/texts/index.js';

const PICTURE = { prompt: 'a fox', width: 256, height: 128, seed: 7 };

test.each([
  ['en-GB', 'A picture painted from the prompt: a fox (256x128, seed 7)'],
  ['de', 'Ein Bild, gemalt nach dem Prompt: a fox (256x128, Seed 7)'],
  ['fr', 'Une image peinte d’après le prompt : a fox (256x128, graine 7)'],
])('tells the prompt, the size and the seed in %s', (locale, text) => {
  expect(altText(PICTURE, textsFor(locale))).toBe(text);
});

test.each([
  ['en-US', 'A picture painted without a prompt (256x128, seed 7)'],
  ['de', 'Ein Bild, gemalt ohne Prompt (256x128, Seed 7)'],
  ['fr', 'Une image peinte sans prompt (256x128, graine 7)'],
])('says that there was no prompt in %s', (locale, text) => {
  expect(altText({ ...PICTURE, prompt: '  ' }, textsFor(locale))).toBe(text);
});

test.each(['en-US', 'de', 'fr'])(
  'has at most 1024 characters in %s, is cut between two of them, and keeps the size and the seed',
  (locale) => {
    for (const prompt of ['x'.repeat(6000), '🦊'.repeat(3000), `x${'🦊'.repeat(3000)}`]) {
      const text = altText({ ...PICTURE, prompt }, textsFor(locale));
      expect(text).toMatch(/[x🦊]… \(256x128, \p{L}+ 7\)$/u);
      expect(text).not.toMatch(/\p{Surrogate}/u);
      expect(text.length).toBeLessThanOrEqual(1024);
      expect(text.length).toBeGreaterThan(1020);
      expect(text.match(/…/g)).toHaveLength(1);
    }
  },
);
