// The log keeps secrets and what users typed to itself.

import { expect, test, vi } from 'vitest';
import { createLogger } from '../src/log.js';

const TOKEN = 'MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789AB';

function collect(isTTY: boolean, secrets: string[] = []) {
  const lines: string[] = [];
  const target = { isTTY, write: (text: string) => lines.push(text) };
  return { lines, logger: createLogger('info', target, secrets) };
}

test('away from a terminal each line is one JSON object with level, time and message', () => {
  const { lines, logger } = collect(false);
  logger.info({ id: 'a1', steps: 20 }, 'painted');
  logger.debug('not at this level');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 30,
    id: 'a1',
    steps: 20,
    msg: 'painted',
  });
});

test('on a terminal a line is readable text', () => {
  const { lines, logger } = collect(true);
  logger.warn({ id: 'a1' }, 'slow');
  expect(lines.join('')).toContain('slow');
  expect(() => JSON.parse(lines.join(''))).toThrow();
});

test('on a terminal a line has the fields that its message does not say, and no more lines', () => {
  const { lines, logger } = collect(true);
  logger.info({ model: 'hydrogen', ms: 12, id: 'a1' }, 'model hydrogen was loaded in 12 ms');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trim().split('\n')).toHaveLength(1);
  expect(lines[0]?.match(/hydrogen/g)).toHaveLength(1);
  expect(lines[0]?.match(/12/g)).toHaveLength(1);
  expect(lines[0]).toContain('a1');
});

test('an error keeps its stack on a terminal', () => {
  const { lines, logger } = collect(true);
  logger.error({ err: new Error('odd'), id: 'a1' }, 'something broke');
  expect(lines.join('')).toMatch(/Error: odd\n\s+at /);
  expect(lines.join('')).toContain('a1');
});

test('NO_COLOR is heeded on a terminal', () => {
  const colour = '\u001b[';
  const line = () => {
    const { lines, logger } = collect(true);
    logger.info('ready');
    return lines.join('');
  };
  vi.stubEnv('NO_COLOR', '');
  expect(line()).toContain(colour);
  vi.stubEnv('NO_COLOR', '1');
  expect(line()).not.toContain(colour);
  vi.unstubAllEnvs();
});

test.each([false, true])('tokens do not appear, in whatever field (terminal: %s)', (isTTY) => {
  const { lines, logger } = collect(isTTY, ['a-dead-giveaway']);
  const webhook = 'aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OmFiY2RlZg';
  logger.info({ token: TOKEN, reply: { interactionToken: webhook } }, `logged in with ${TOKEN}`);
  logger.error(
    { err: new Error(`PATCH /webhooks/123456789/${webhook}/messages/@original`) },
    'failed',
  );
  logger.info('a-dead-giveaway');
  const text = lines.join('');
  expect(text).not.toContain(TOKEN);
  expect(text).not.toContain(webhook);
  expect(text).not.toContain('a-dead-giveaway');
  expect(text).toContain('messages/@original');
});

test('prompts are left out at every depth they are logged at', () => {
  const { lines, logger } = collect(false);
  logger.info({ prompt: 'my diary', parameters: { negativePrompt: 'my diary', seed: 7 } }, 'a');
  logger.info({ generation: { parameters: { prompt: 'my diary' } } }, 'b');
  expect(lines.join('')).not.toContain('my diary');
  expect(lines.join('')).toContain('"seed":7');
});
