// Checks an application command as Discord does at registration.

import { isObject, type JsonObject, type Problems } from './errors.js';

type Path = readonly (string | number)[];

/** Names of chat commands and options: lower case, no spaces. */
const NAME = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;
/** Characters of a command's names, descriptions and values, in its longest locale. */
const TOTAL = 8000;

export const LOCALES: ReadonlySet<string> = new Set(
  'id da de en-GB en-US es-ES es-419 fr hr it lt hu nl no pl pt-BR ro fi sv-SE vi tr cs el bg ru uk hi th zh-CN ja zh-TW ko'.split(
    ' ',
  ),
);

/**
 * Discord's locale for a browser's language: the exact one, else one of the same language, else en-US.
 * @param language such as `de-DE`
 */
export function localeFor(language: string): string {
  const wanted = language.toLowerCase();
  const base = wanted.split('-')[0];
  const all = [...LOCALES];
  return (
    all.find((one) => one.toLowerCase() === wanted) ??
    all.find((one) => one === base) ??
    all.find((one) => one !== 'en-GB' && one.split('-')[0] === base) ??
    'en-US'
  );
}

export function checkCommand(command: JsonObject, problems: Problems, path: Path): void {
  const type = command.type ?? 1;
  if (![1, 2, 3, 4].includes(type as number)) {
    problems.choice(type, [...path, 'type']);
    return;
  }
  if (type !== 1) {
    problems.text(command.name, [...path, 'name'], 32, 1);
    if (command.description) {
      problems.add(
        [...path, 'description'],
        'APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION',
        'Context menu commands cannot have a description',
      );
    }
    if (Array.isArray(command.options) && command.options.length > 0) {
      problems.add(
        [...path, 'options'],
        'APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS',
        'Context menu commands cannot have options',
      );
    }
    return;
  }
  named(command, problems, path);
  options(command.options, problems, [...path, 'options'], 0);
  for (const [key, most] of [
    ['contexts', 2],
    ['integration_types', 1],
  ] as const) {
    problems.list(command[key], [...path, key], 3).forEach((one, index) => {
      problems.integer(one, [...path, key, index], 0, most);
    });
  }
  if (size(command) > TOTAL) {
    problems.add(path, 'APPLICATION_COMMAND_TOO_LARGE', `Command exceeds maximum size (${TOTAL})`);
  }
}

function named(one: JsonObject, problems: Problems, path: Path): void {
  checkName(one.name, problems, [...path, 'name']);
  problems.text(one.description, [...path, 'description'], 100, 1);
  for (const key of ['name_localizations', 'description_localizations'] as const) {
    const map = one[key];
    if (map === undefined || map === null) continue;
    const found = problems.object(map, [...path, key]);
    for (const [locale, text] of Object.entries(found ?? {})) {
      const at = [...path, key, locale];
      if (!LOCALES.has(locale)) problems.choice(locale, at);
      if (text === null) continue;
      if (key === 'name_localizations') checkName(text, problems, at);
      else problems.text(text, at, 100, 1);
    }
  }
}

function checkName(name: unknown, problems: Problems, path: Path): void {
  if (!problems.text(name, path, 32, 1)) return;
  if (!NAME.test(name) || name !== name.toLowerCase()) {
    problems.add(path, 'APPLICATION_COMMAND_INVALID_NAME', 'Command name is invalid');
  }
}

function options(value: unknown, problems: Problems, path: Path, depth: number): void {
  const list = problems.list(value, path, 25);
  const names = new Set<unknown>();
  let optional = false;
  for (const [index, entry] of list.entries()) {
    const at = [...path, index];
    const option = problems.object(entry, at);
    if (!option) continue;
    named(option, problems, at);
    if (names.has(option.name)) {
      problems.add(
        [...path],
        'APPLICATION_COMMAND_OPTIONS_NAME_INVALID',
        'Option names must be unique',
      );
    }
    names.add(option.name);
    const type = option.type as number;
    if (!Number.isInteger(type) || type < 1 || type > 11) {
      problems.choice(option.type, [...at, 'type']);
      continue;
    }
    if (type <= 2) {
      if (depth > 1 || (type === 2 && depth > 0)) {
        problems.add(
          [...at, 'type'],
          'APPLICATION_COMMAND_OPTIONS_TYPE_INVALID',
          'Sub-command and sub-command group option types are mutually exclusive to all other types',
        );
      }
      options(option.options, problems, [...at, 'options'], depth + 1);
      continue;
    }
    if (option.required === true && optional) {
      problems.add(
        at,
        'APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID',
        'Required options must be placed before non-required options',
      );
    }
    optional ||= option.required !== true;
    choices(option, type, problems, at);
  }
}

function choices(option: JsonObject, type: number, problems: Problems, at: Path): void {
  const list = problems.list(option.choices, [...at, 'choices'], 25);
  if (option.autocomplete === true && list.length > 0) {
    problems.add(
      [...at, 'autocomplete'],
      'APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES',
      'Choices and autocomplete are mutually exclusive',
    );
  }
  if (option.autocomplete === true && ![3, 4, 10].includes(type)) {
    problems.choice(option.autocomplete, [...at, 'autocomplete']);
  }
  checkChoices(list, type, problems, [...at, 'choices']);
  const text = type === 3;
  const numeric = type === 4 || type === 10;
  for (const key of ['min_length', 'max_length'] as const) {
    if (option[key] === undefined) continue;
    if (!text) problems.choice(option[key], [...at, key]);
    else problems.integer(option[key], [...at, key], key === 'max_length' ? 1 : 0, 6000);
  }
  for (const key of ['min_value', 'max_value'] as const) {
    if (option[key] === undefined) continue;
    const value = option[key];
    if (!numeric || typeof value !== 'number' || (type === 4 && !Number.isInteger(value))) {
      problems.choice(value, [...at, key]);
    } else if (Math.abs(value) > 2 ** 53) {
      problems.add([...at, key], 'NUMBER_TYPE_MAX', 'Must lie between -2^53 and 2^53');
    }
  }
}

/** Choices, of an option or of an autocomplete answer. */
export function checkChoices(
  list: readonly unknown[],
  type: number | undefined,
  problems: Problems,
  path: Path,
): void {
  list.forEach((entry, index) => {
    const choice = problems.object(entry, [...path, index]);
    if (!choice) return;
    problems.text(choice.name, [...path, index, 'name'], 100, 1);
    const at = [...path, index, 'value'];
    const { value } = choice;
    if (typeof value === 'string' && type !== 4 && type !== 10) problems.text(value, at, 100, 1);
    else if (typeof value !== 'number' || type === 3) problems.choice(value, at);
    else if (type === 4 && !Number.isInteger(value)) problems.choice(value, at);
  });
}

/** Characters that count: of each text the longest of its locales. */
function size(one: JsonObject): number {
  const longest = (base: unknown, localized: unknown) =>
    Math.max(
      typeof base === 'string' ? base.length : 0,
      ...(isObject(localized)
        ? Object.values(localized).map((text) => String(text ?? '').length)
        : [0]),
    );
  let sum =
    longest(one.name, one.name_localizations) +
    longest(one.description, one.description_localizations);
  if (typeof one.value === 'string') sum += one.value.length;
  for (const list of [one.options, one.choices]) {
    if (Array.isArray(list)) for (const child of list) if (isObject(child)) sum += size(child);
  }
  return sum;
}
