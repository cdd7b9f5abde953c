// When commands count as the same: what Discord adds must not cause a registration, a change must.

import type { APIApplicationCommand } from 'discord-api-types/v10';
import { expect, test } from 'vitest';
import { commandData } from '../../src/commands/index.js';
import { sameCommands } from '../../src/discord/registration.js';
import { LIMITS } from '../../src/pipeline/parameters.js';

const ours = commandData(LIMITS);

/** The commands as Discord gives them back: with its fields and defaults, in another order. */
function asDiscordTells(): APIApplicationCommand[] {
  const told = ours.map((command, index) => ({
    id: String(index),
    application_id: '1',
    version: '9',
    type: 1,
    default_member_permissions: null,
    nsfw: false,
    dm_permission: true,
    ...command,
    ...('description' in command ? {} : { description: '' }),
    contexts: [...(command.contexts ?? [])].reverse(),
    ...('options' in command
      ? { options: command.options?.map((option) => ({ required: false, ...option })) }
      : {}),
  }));
  return JSON.parse(JSON.stringify(told.reverse())) as APIApplicationCommand[];
}

const imagineIn = (commands: readonly APIApplicationCommand[]) =>
  commands.find((command) => command.name === 'imagine');

test('what Discord adds and how it orders commands makes no difference', () => {
  expect(sameCommands(asDiscordTells(), ours)).toBe(true);
});

test('translations that are the text itself, which Discord ignores, make no difference', () => {
  let left = 0;
  const without = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(without);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, field]) => {
      const text = (value as Record<string, unknown>)[key.replace('_localizations', '')];
      if (!key.endsWith('_localizations') || typeof field !== 'object')
        return [key, without(field)];
      const kept = Object.entries(field ?? {}).filter(([, translation]) => translation !== text);
      left += Object.keys(field ?? {}).length - kept.length;
      return [key, Object.fromEntries(kept)];
    });
    return Object.fromEntries(entries);
  };
  expect(sameCommands(without(asDiscordTells()) as APIApplicationCommand[], ours)).toBe(true);
  expect(left).toBeGreaterThan(0);
});

test.each<[string, (commands: APIApplicationCommand[]) => void]>([
  ['a missing command', (commands) => void commands.pop()],
  [
    'another description',
    (commands) => void Object.assign(commands[0] ?? {}, { description: 'x' }),
  ],
  [
    'another translation',
    (commands) =>
      void Object.assign(imagineIn(commands)?.description_localizations ?? {}, { de: 'x' }),
  ],
  [
    'a missing option',
    (commands) => void commands.find((c) => c.name === 'imagine')?.options?.pop(),
  ],
  [
    'another range',
    (commands) => {
      const steps = commands
        .find((c) => c.name === 'imagine')
        ?.options?.find((o) => o.name === 'steps');
      Object.assign(steps ?? {}, { max_value: 99 });
    },
  ],
])('%s is a difference', (_name, change) => {
  const commands = asDiscordTells();
  change(commands);
  expect(sameCommands(commands, ours)).toBe(false);
});

test('descriptions, names and the whole of a command keep to the limits in every locale', () => {
  for (const command of ours) {
    expect(JSON.stringify(command).length).toBeLessThan(8000);
    const names = [command.name, ...Object.values(command.name_localizations ?? {})];
    if (!('description' in command)) {
      // In a message's menu: any characters, and no description.
      for (const name of names) expect(name).toMatch(/^.{1,32}$/u);
      continue;
    }
    for (const item of [command, ...('options' in command ? (command.options ?? []) : [])]) {
      for (const name of [item.name, ...Object.values(item.name_localizations ?? {})]) {
        expect(name).toMatch(/^[-_'\p{L}\p{N}]{1,32}$/u);
        expect(name?.toLowerCase()).toBe(name);
      }
      for (const text of [
        item.description,
        ...Object.values(item.description_localizations ?? {}),
      ]) {
        expect(text?.length).toBeGreaterThan(0);
        expect(text?.length).toBeLessThanOrEqual(100);
      }
    }
  }
});

test('no two commands of one kind, and no two options of one command, go by the same name anywhere', () => {
  for (const locale of ['en', 'de', 'fr'] as const) {
    const name = (item: { name: string; name_localizations?: unknown }) =>
      (item.name_localizations as Record<string, string> | undefined)?.[locale] ?? item.name;
    const commands = ours.map((command) => `${command.type ?? 1} ${name(command)}`);
    expect(new Set(commands).size).toBe(commands.length);
    for (const command of ours) {
      const options = 'options' in command ? (command.options ?? []).map(name) : [];
      expect(new Set(options).size).toBe(options.length);
    }
  }
});
