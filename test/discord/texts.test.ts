// Everything that people can be told stands in every language, and says what is allowed.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sentenceOf } from '../../src/discord/errors.js';
import { textsFor } from '../../src/discord/texts/index.js';
import { UserError } from '../../src/errors.js';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** What only the one who runs the bot can mend is told to people in English, and stands in the log. */
const FOR_OPERATORS =
  /^(model-(?!(?:unknown|unusable|changed)$)|scheduler-(class|config)|store-|config-|login-|sandbox-|no-provider|sde-|unknown-command|bad-checkpoint|bad-branch|bad-scheduler|bad-noise|strength-missing|init-missing|evolution-too-large|image-format)/;

/** Identifiers of the errors that a part makes. */
function identifiers(part: string): Set<string> {
  const found = new Set<string>();
  for (const file of readdirSync(join(SRC, part), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = readFileSync(join(SRC, part, file), 'utf8');
    for (const match of source.matchAll(/new UserError\(\s*'([a-z-]+)'/g))
      found.add(match[1] ?? '');
  }
  return found;
}

const all = [...identifiers('commands'), ...identifiers('queue'), ...identifiers('pipeline')]
  .concat([...identifiers('engine')])
  .filter((identifier) => !FOR_OPERATORS.test(identifier));

test.each(['de', 'fr'])('every sentence about what a person did stands in %s', (locale) => {
  const missing = [...new Set(all)].filter((identifier) => {
    const english = 'An English sentence.';
    return sentenceOf(new UserError(identifier, english), locale) === english;
  });
  expect(missing).toEqual([]);
});

test.each(['en-US', 'en-GB', 'de', 'fr'])('buttons in %s fit on their buttons', (locale) => {
  for (const label of Object.values(textsFor(locale).buttons)) {
    expect(label.length).toBeGreaterThan(0);
    expect(label.length).toBeLessThanOrEqual(80);
  }
});

test('titles of windows and labels of their fields fit in every language', () => {
  for (const locale of ['en-US', 'de', 'fr']) {
    const texts = textsFor(locale);
    for (const title of [texts.editTitle, texts.initTitle])
      expect(title.length).toBeLessThanOrEqual(45);
    for (const label of [texts.editPrompt, texts.editNegative, texts.strength, texts.seed]) {
      expect(label.length).toBeLessThanOrEqual(45);
    }
  }
});
