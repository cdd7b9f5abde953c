// Whom a message would notify: what its text names, narrowed by allowed_mentions.

import { isObject, type Problems } from './errors.js';
import { CHANNEL_ID } from './people.js';

export interface Mentions {
  everyone: boolean;
  users: string[];
  roles: string[];
}

export const nobody = (): Mentions => ({ everyone: false, users: [], roles: [] });

/** @param allowed absent: everything that the text names is notified */
export function mentioned(texts: readonly string[], allowed: unknown): Mentions {
  // Nothing inside code is a mention.
  const text = texts.join('\n').replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, '');
  const users = unique(text.matchAll(/<@!?(\d{15,20})>/g));
  const roles = unique(text.matchAll(/<@&(\d{15,20})>/g)).filter((id) => id !== CHANNEL_ID);
  const everyone = /@(everyone|here)\b/.test(text);
  if (!isObject(allowed)) return { everyone, users, roles };
  const parse: readonly unknown[] = Array.isArray(allowed.parse) ? allowed.parse : [];
  const only = (list: unknown): readonly unknown[] => (Array.isArray(list) ? list : []);
  return {
    everyone: everyone && parse.includes('everyone'),
    users: parse.includes('users') ? users : users.filter((id) => only(allowed.users).includes(id)),
    roles: parse.includes('roles') ? roles : roles.filter((id) => only(allowed.roles).includes(id)),
  };
}

function unique(matches: Iterable<RegExpMatchArray>): string[] {
  return [...new Set([...matches].map((match) => match[1] as string))];
}

export function checkAllowedMentions(
  value: unknown,
  problems: Problems,
  path: readonly string[],
): void {
  if (value === undefined || value === null) return;
  const allowed = problems.object(value, path);
  if (!allowed) return;
  const parse = problems.list(allowed.parse, [...path, 'parse'], 3);
  for (const [index, kind] of parse.entries()) {
    if (!['roles', 'users', 'everyone'].includes(kind as string))
      problems.choice(kind, [...path, 'parse', String(index)]);
  }
  for (const key of ['users', 'roles'] as const) {
    const ids = problems.list(allowed[key], [...path, key], 100);
    if (ids.length > 0 && parse.includes(key)) {
      problems.add(
        [...path, key],
        'MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE',
        `parse:["${key}"] and ${key}: [ids...] are mutually exclusive.`,
      );
    }
  }
}
