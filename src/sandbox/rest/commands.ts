// Application commands, global and of the one server: list, replace all, add, change, remove.

import type { APIApplicationCommand } from 'discord-api-types/v10';
import { checkCommand } from '../command-body.js';
import {
  ApiError,
  isObject,
  type JsonObject,
  missingAccess,
  Problems,
  unknownCommand,
  unknownGuild,
} from '../errors.js';
import { objectBody } from '../message-body.js';
import { APPLICATION_ID, GUILD_ID } from '../people.js';
import { type Call, created, noContent, ok, param, type Route } from '../routes.js';
import { snowflake } from '../snowflake.js';
import type { World } from '../world.js';

/** Commands of each kind in one place. */
const MOST = { 1: 100, 2: 5, 3: 5, 4: 1 } as const;

/** The server of a call, undefined for global commands. */
function scope(call: Call): string | undefined {
  if (param(call, 'application') !== APPLICATION_ID) throw missingAccess();
  const guild = call.params.guild;
  if (guild !== undefined && guild !== GUILD_ID) throw unknownGuild();
  return guild;
}

function inScope(world: World, guild: string | undefined): APIApplicationCommand[] {
  return [...world.commands.values()].filter((command) => command.guild_id === guild);
}

function find(call: Call): APIApplicationCommand {
  const guild = scope(call);
  const command = call.world.commands.get(param(call, 'command'));
  if (!command || command.guild_id !== guild) throw unknownCommand();
  return command;
}

const FIELDS = [
  'name_localizations',
  'description_localizations',
  'options',
  'default_member_permissions',
  'nsfw',
  'contexts',
  'integration_types',
  'handler',
] as const;

/** Translations that are the text itself are ignored. */
function withoutRepetitions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutRepetitions);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => {
      const text = /^(name|description)_localizations$/.test(key)
        ? value[key.replace('_localizations', '')]
        : undefined;
      if (text === undefined || !isObject(field)) return [key, withoutRepetitions(field)];
      const other = Object.entries(field).filter(([, translation]) => translation !== text);
      return [key, Object.fromEntries(other)];
    }),
  );
}

/** A stored command from a body: ids from the one it replaces, a new version when it differs. */
function build(
  body: JsonObject,
  old: APIApplicationCommand | undefined,
  guild: string | undefined,
): APIApplicationCommand {
  const fields: JsonObject = {
    default_member_permissions: null,
    type: body.type ?? 1,
    name: body.name,
    name_localizations: null,
    description: body.description ?? '',
    description_localizations: null,
    nsfw: false,
    ...(guild === undefined ? { dm_permission: true, contexts: null, integration_types: [0] } : {}),
  };
  const told = withoutRepetitions(body) as JsonObject;
  for (const key of FIELDS) if (told[key] !== undefined) fields[key] = told[key];
  if (Array.isArray(fields.options) && fields.options.length === 0) delete fields.options;
  const { id, version, ...before } = (old ?? {}) as unknown as JsonObject;
  const now = {
    application_id: APPLICATION_ID,
    ...fields,
    ...(guild === undefined ? {} : { guild_id: guild }),
  };
  const same = old !== undefined && sorted(before) === sorted(now);
  return {
    id: id ?? snowflake(),
    ...now,
    version: same ? version : snowflake(),
  } as unknown as APIApplicationCommand;
}

const sorted = (object: JsonObject) =>
  JSON.stringify(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Without `with_localizations` Discord leaves the localizations out. */
function shown(command: APIApplicationCommand, call: Call): unknown {
  if (call.query.get('with_localizations') === 'true') return command;
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (!isObject(value)) return value;
    const { name_localizations: _names, description_localizations: _descriptions, ...rest } = value;
    return Object.fromEntries(
      Object.entries(rest).map(([key, field]) => [
        key,
        key === 'options' || key === 'choices' ? strip(field) : field,
      ]),
    );
  };
  return strip(command);
}

function checkCounts(commands: readonly APIApplicationCommand[]): void {
  for (const [type, most] of Object.entries(MOST)) {
    const count = commands.filter((command) => String(command.type) === type).length;
    if (count > most)
      throw new ApiError(400, 30032, `Maximum number of application commands reached (${most})`);
  }
}

const keyOf = (command: { readonly name?: unknown; readonly type?: unknown }) =>
  `${String(command.type ?? 1)} ${String(command.name)}`;

function replaceAll(call: Call) {
  const guild = scope(call);
  const problems = new Problems();
  const list = Array.isArray(call.body) ? call.body : [];
  if (!Array.isArray(call.body)) problems.list(call.body ?? '', [], 0);
  const seen = new Set<string>();
  list.forEach((body, index) => {
    const found = problems.object(body, [index]);
    if (!found) return;
    checkCommand(found, problems, [index]);
    if (seen.has(keyOf(found))) {
      problems.add(
        [index, 'name'],
        'APPLICATION_COMMANDS_DUPLICATE_NAME',
        'Application command names must be unique',
      );
    }
    seen.add(keyOf(found));
  });
  problems.check();
  const { world } = call;
  const present = inScope(world, guild);
  const next = (list as JsonObject[]).map((body) =>
    build(
      body,
      present.find((one) => keyOf(one) === keyOf(body)),
      guild,
    ),
  );
  checkCounts(next);
  for (const one of present) world.commands.delete(one.id);
  for (const one of next) world.commands.set(one.id, one);
  world.events.emit({ type: 'commands' });
  return ok(next);
}

function add(call: Call) {
  const guild = scope(call);
  const body = objectBody(call.body);
  const problems = new Problems();
  checkCommand(body, problems, []);
  problems.check();
  const { world } = call;
  const present = inScope(world, guild);
  const old = present.find((one) => keyOf(one) === keyOf(body));
  const next = build(body, old, guild);
  checkCounts([...present.filter((one) => one !== old), next]);
  world.commands.set(next.id, next);
  world.events.emit({ type: 'commands' });
  return old ? ok(next) : created(next);
}

function change(call: Call) {
  const old = find(call);
  const body = { ...(old as unknown as JsonObject), ...objectBody(call.body), type: old.type };
  const problems = new Problems();
  checkCommand(body, problems, []);
  problems.check();
  const next = build(body, old, scope(call));
  call.world.commands.set(next.id, next);
  call.world.events.emit({ type: 'commands' });
  return ok(next);
}

function remove(call: Call) {
  call.world.commands.delete(find(call).id);
  call.world.events.emit({ type: 'commands' });
  return noContent();
}

export function commandRoutes(): Route[] {
  return [
    '/applications/:application/commands',
    '/applications/:application/guilds/:guild/commands',
  ].flatMap((base): Route[] => [
    {
      method: 'GET',
      pattern: base,
      handle: (call) => ok(inScope(call.world, scope(call)).map((command) => shown(command, call))),
    },
    { method: 'PUT', pattern: base, handle: replaceAll },
    { method: 'POST', pattern: base, handle: add },
    // Discord gives a single command with its localizations always.
    { method: 'GET', pattern: `${base}/:command`, handle: (call) => ok(find(call)) },
    { method: 'PATCH', pattern: `${base}/:command`, handle: change },
    { method: 'DELETE', pattern: `${base}/:command`, handle: remove },
  ]);
}
