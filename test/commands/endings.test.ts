// What an ended picture's message holds: its alternative text, and the buttons that make sense.

import { expect, test } from 'vitest';
import { pictureOf } from '../../src/commands/endings.js';
import { factsOf } from '../../src/commands/facts.js';
import type { MessageBody } from '../../src/discord/message.js';
import { textsFor } from '../../src/discord/texts/index.js';
import { newGeneration } from '../store/support.js';

const texts = textsFor('en-US');

function shown(prompt: string, total = 20): MessageBody {
  const { init: _, ...made } = newGeneration('gen1');
  const generation = {
    ...made,
    parameters: { ...made.parameters, prompt },
    ...{ hasInit: false, hasMask: false },
  };
  const file = { bytes: new Uint8Array([1]), type: 'image/png', width: 8, height: 8 };
  const painted = { file, stopped: undefined, total, flagged: false, changed: undefined };
  return pictureOf(generation, factsOf(generation, 'DDIM'), painted, texts, undefined);
}

const description = (prompt: string) => shown(prompt).files[0]?.description ?? '';

test('the alternative text of a long prompt is cut once and still tells size and seed', () => {
  const text = description('🦊'.repeat(6000));
  expect(text.length).toBeLessThanOrEqual(1024);
  expect(text).toMatch(/🦊… \(\d+x\d+, seed \d+\)$/u);
  expect(text).not.toMatch(/\p{Surrogate}/u);
});

test('the alternative text has nothing in it that hides or reorders what is read', () => {
  const text = description('a\u0000 red\u200b fox\u202e back\u2066\nwards\u2069 \ud83e👩‍👩‍👧');
  expect(text).toContain('prompt: a red fox back wards 👩‍👩‍👧 (');
});

test('a picture of one step offers no Vary; one of more steps does', () => {
  const ids = (body: MessageBody) => JSON.stringify(body.components);
  expect(ids(shown('a fox', 1))).not.toContain('"vary:');
  expect(ids(shown('a fox', 1))).toContain('"steps:gen1"');
  expect(ids(shown('a fox', 2))).toContain('"vary:gen1:subtle"');
});
