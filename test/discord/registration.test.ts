// When commands count as the same: what Discord adds must not cause a registration, a change must.

import type { APIApplicationCommand } from 'discord-api-types/v10';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/commands/index.js';
import { sameCommands } from '../../src/discord/registration.js';
import { LIMITS } from '../../src/pipeline/parameters.js';

const ours = COMMANDS.map((command) => command.data(LIMITS));

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
    contexts: [...(command.contexts ?? [])].reverse(),
    options: command.options?.map((option) => ({ required: false, ...option })),
  }));
  return JSON.parse(JSON.stringify(told.reverse())) as APIApplicationCommand[];
}

test('what Discord adds and how it orders commands makes no difference', () => {
  expect(sameCommands(asDiscordTells(), ours)).toBe(true);
});

test.each<[string, (commands: APIApplicationCommand[]) => void]>([
  ['a missing command', (commands) => void commands.pop()],
  [
    'another description',
    (commands) => void Object.assign(commands[0] ?? {}, { description: 'x' }),
  ],
  [
    'another translation',
    (commands) => void Object.assign(commands[0]?.description_localizations ?? {}, { de: 'x' }),
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
    const items = [command, ...(command.options ?? [])];
    for (const item of items) {
      const names = [item.name, ...Object.values(item.name_localizations ?? {})];
      for (const name of names) expect(name).toMatch(/^[-_'\p{L}\p{N}]{1,32}$/u);
      for (const name of names) expect(name?.toLowerCase()).toBe(name);
      for (const text of [
        item.description,
        ...Object.values(item.description_localizations ?? {}),
      ]) {
        expect(text?.length).toBeGreaterThan(0);
        expect(text?.length).toBeLessThanOrEqual(100);
      }
    }
    expect(JSON.stringify(command).length).toBeLessThan(8000);
  }
});
