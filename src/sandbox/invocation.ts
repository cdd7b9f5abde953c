// Checks a command's options as Discord's client does before it sends them, and builds what the bot
// is sent.

import type { APIApplicationCommand } from 'discord-api-types/v10';
import { isObject, type JsonObject } from './errors.js';
import {
  APPLICATION_ID,
  botUser,
  CHANNEL_ID,
  channelObject,
  GUILD_ID,
  guildRoles,
  memberObject,
  permissionsOf,
  userObject,
} from './people.js';
import type { World } from './world.js';

/** What a person filled in wrongly; the message is for them. */
export class InvalidInvocation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidInvocation';
  }
}

const fail = (message: string): never => {
  throw new InvalidInvocation(message);
};

const SUBCOMMAND = 1;
const GROUP = 2;

/**
 * The `data` of a command's or an autocomplete's interaction.
 * @param lenient for autocomplete: what is not filled in yet or wrong passes
 * @throws InvalidInvocation
 */
export function commandData(
  world: World,
  command: APIApplicationCommand,
  given: unknown,
  lenient: boolean,
): JsonObject {
  const resolved: Resolved = {};
  const defined = (command as unknown as JsonObject).options;
  const options = checkOptions(
    world,
    asList(defined),
    asList(given),
    lenient,
    resolved,
    `/${command.name}`,
  );
  return {
    id: command.id,
    name: command.name,
    type: command.type,
    ...(command.guild_id === undefined ? {} : { guild_id: command.guild_id }),
    ...(options.length > 0 ? { options } : {}),
    ...(Object.keys(resolved).length > 0 ? { resolved } : {}),
  };
}

type Resolved = Partial<
  Record<'users' | 'members' | 'channels' | 'roles' | 'attachments', JsonObject>
>;

const asList = (value: unknown): JsonObject[] =>
  Array.isArray(value) ? value.filter(isObject) : [];

function checkOptions(
  world: World,
  defined: readonly JsonObject[],
  given: readonly JsonObject[],
  lenient: boolean,
  resolved: Resolved,
  where: string,
): JsonObject[] {
  const nested = defined.some((option) => option.type === SUBCOMMAND || option.type === GROUP);
  if (nested) {
    const one = given[0];
    const found = defined.find((option) => option.name === one?.name);
    if (!one || !found || given.length !== 1)
      return fail(`Choose one of the subcommands of ${where}.`);
    const name = `${where} ${String(found.name)}`;
    const options = checkOptions(
      world,
      asList(found.options),
      asList(one.options),
      lenient,
      resolved,
      name,
    );
    return [{ name: found.name, type: found.type, options }];
  }
  const result: JsonObject[] = [];
  for (const one of given) {
    const option = defined.find((candidate) => candidate.name === one.name);
    if (!option) return fail(`${where} has no option "${String(one.name)}".`);
    if (result.some((other) => other.name === one.name))
      return fail(`"${String(one.name)}" is given twice.`);
    const focused = lenient && one.focused === true;
    const value = focused
      ? typeof one.value === 'string'
        ? one.value
        : String(one.value ?? '')
      : checkValue(world, option, one.value, lenient, resolved);
    result.push({
      name: option.name,
      type: option.type,
      value,
      ...(focused ? { focused: true } : {}),
    });
  }
  if (!lenient) {
    for (const option of defined) {
      if (option.required === true && !result.some((one) => one.name === option.name)) {
        return fail(`The option "${String(option.name)}" of ${where} is required.`);
      }
    }
  }
  return result;
}

function checkValue(
  world: World,
  option: JsonObject,
  value: unknown,
  lenient: boolean,
  resolved: Resolved,
): unknown {
  const name = `"${String(option.name)}"`;
  const choices = asList(option.choices);
  if (choices.length > 0 && !lenient && !choices.some((choice) => choice.value === value)) {
    return fail(
      `${name} must be one of ${choices.map((choice) => String(choice.name)).join(', ')}.`,
    );
  }
  switch (option.type) {
    case 3:
      return checkText(option, value, name, lenient);
    case 4:
    case 10:
      return checkNumber(option, value, name, lenient);
    case 5:
      return typeof value === 'boolean' ? value : fail(`${name} must be true or false.`);
    case 11: {
      const file = typeof value === 'string' ? world.files.facts(value) : undefined;
      if (!file) return fail(`${name} needs an uploaded file.`);
      resolved.attachments = { ...resolved.attachments, [file.id]: world.attachment(file, true) };
      return file.id;
    }
    default:
      return reference(world, option.type as number, value, name, resolved);
  }
}

function checkText(option: JsonObject, value: unknown, name: string, lenient: boolean): string {
  if (typeof value !== 'string') return fail(`${name} must be text.`);
  const length = [...value].length;
  const most = typeof option.max_length === 'number' ? option.max_length : 6000;
  const least = typeof option.min_length === 'number' ? option.min_length : 0;
  if (!lenient && length > most)
    return fail(`${name} may have at most ${most} characters, not ${length}.`);
  if (!lenient && length < least) return fail(`${name} must have at least ${least} characters.`);
  return value;
}

function checkNumber(option: JsonObject, value: unknown, name: string, lenient: boolean): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return fail(`${name} must be a ${option.type === 4 ? 'whole number' : 'number'}.`);
  }
  if (option.type === 4 && !Number.isSafeInteger(value))
    return fail(`${name} must be a whole number.`);
  if (Math.abs(value) > 2 ** 53) return fail(`${name} must lie between -2^53 and 2^53.`);
  if (!lenient && typeof option.min_value === 'number' && value < option.min_value) {
    return fail(`${name} must be at least ${option.min_value}.`);
  }
  if (!lenient && typeof option.max_value === 'number' && value > option.max_value) {
    return fail(`${name} must be at most ${option.max_value}.`);
  }
  return value;
}

/** 6 user, 7 channel, 8 role, 9 user or role. */
function reference(
  world: World,
  type: number,
  value: unknown,
  name: string,
  resolved: Resolved,
): string {
  if (typeof value !== 'string') return fail(`${name} is not valid.`);
  resolve(world, [value], resolved);
  const found =
    ((type === 6 || type === 9) && resolved.users?.[value]) ||
    (type === 7 && resolved.channels?.[value]) ||
    ((type === 8 || type === 9) && resolved.roles?.[value]);
  return found ? value : fail(`${name} does not name anything that is here.`);
}

/** Adds what the ids stand for to `resolved`. */
export function resolve(world: World, ids: readonly string[], resolved: Resolved): void {
  for (const id of ids) {
    const person = world.people.get(id);
    if (person) {
      resolved.users = { ...resolved.users, [id]: userObject(person) };
      resolved.members = {
        ...resolved.members,
        [id]: { ...memberObject(), permissions: permissionsOf(person) },
      };
    } else if (id === APPLICATION_ID) resolved.users = { ...resolved.users, [id]: botUser() };
    else if (id === CHANNEL_ID)
      resolved.channels = { ...resolved.channels, [id]: { ...channelObject(), permissions: '0' } };
    else {
      const role = guildRoles().find((one) => one.id === id);
      if (role && id !== GUILD_ID) resolved.roles = { ...resolved.roles, [id]: role };
    }
  }
}
