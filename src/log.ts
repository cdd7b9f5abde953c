// The log: readable lines on a terminal, JSON elsewhere. No token and nothing that a user typed
// gets into it, whatever is logged.

import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/** Where lines go: process.stdout, or a stand-in in tests. */
export interface LogTarget {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Keys that hold what users typed, or secrets; looked for at the top and two levels down. */
const PRIVATE_KEYS = [
  'prompt',
  'negativePrompt',
  'infotext',
  'content',
  'requestBody',
  'token',
  'interactionToken',
  'authorization',
];

/** Shapes of secrets in running text: bot tokens, and the tokens in interaction and webhook URLs. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/[\w-]{20,40}\.[\w-]{5,8}\.[\w-]{25,}/g, '[token]'],
  [/((?:webhooks|interactions)\/\d+\/)[\w-]{20,}/g, '$1[token]'],
];

/**
 * @param level pino's names, 'silent' for nothing
 * @param target where the lines go; a terminal gets them in colour
 * @param secrets more texts that must not appear, such as the configured token
 */
export function createLogger(
  level: string,
  target: LogTarget = process.stdout,
  secrets: readonly string[] = [],
): Logger {
  const write = (line: string): void => {
    target.write(scrub(line, secrets));
  };
  const options = {
    level,
    base: null,
    redact: {
      paths: PRIVATE_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      censor: '[private]',
    },
  };
  if (target.isTTY !== true) {
    return pino({ ...options, timestamp: pino.stdTimeFunctions.isoTime }, { write });
  }
  const prettify = pretty.prettyFactory({
    colorize: !process.env.NO_COLOR, // no-color.org
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  });
  return pino(options, { write: (line: string) => write(prettify(forEyes(JSON.parse(line)))) });
}

/** Without the fields that the message says already. */
function forEyes(entry: Record<string, unknown>): Record<string, unknown> {
  const said = String(entry.msg);
  const isNew = ([key, value]: [string, unknown]) =>
    /^(?:level|time|msg)$/.test(key) || typeof value === 'object' || !said.includes(String(value));
  return Object.fromEntries(Object.entries(entry).filter(isNew));
}

function scrub(line: string, secrets: readonly string[]): string {
  let clean = line;
  for (const secret of secrets) {
    if (secret !== '') clean = clean.replaceAll(secret, '[token]');
  }
  for (const [pattern, replacement] of SECRETS) clean = clean.replace(pattern, replacement);
  return clean;
}
