// Brings the commands that Discord knows into line with ours, and leaves them alone when they are.

import type { REST } from 'discord.js';
import type {
  APIApplicationCommand,
  RESTPostAPIApplicationCommandsJSONBody,
} from 'discord-api-types/v10';
import { Routes } from 'discord-api-types/v10';
import { UserError } from '../errors.js';
import { again, failureOf, isOutOfReach } from './failures.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What Discord adds to a command, and what derives from the reader's locale. */
const SERVER_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'application_id',
  'version',
  'guild_id',
  'handler',
  'name_localized',
  'description_localized',
  'dm_permission',
  'default_permission',
]);

/** Values that mean the same as leaving the field out. */
const DEFAULTS: Readonly<Record<string, Json>> = {
  description: '', // of a menu's command
  required: false,
  autocomplete: false,
  nsfw: false,
  default_member_permissions: null,
};

/** Discord leaves out translations that are the text itself. */
const TRANSLATED: Readonly<Record<string, string>> = {
  name_localizations: 'name',
  description_localizations: 'description',
};

/** Lists of values whose order means nothing. Options and choices are shown in theirs. */
const SETS: ReadonlySet<string> = new Set(['contexts', 'integration_types', 'channel_types']);

function normal(value: unknown, key = ''): Json {
  if (Array.isArray(value)) {
    const items = value.map((item) => normal(item));
    return SETS.has(key) ? items.sort() : items;
  }
  if (typeof value === 'object' && value !== null) {
    const result: { [key: string]: Json } = {};
    for (const [name, field] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (SERVER_FIELDS.has(name) || field === undefined || field === null) continue;
      const original = TRANSLATED[name];
      const text = original && (value as Record<string, unknown>)[original];
      const clean = normal(text === undefined ? field : otherThan(text, field), name);
      if (name in DEFAULTS && DEFAULTS[name] === clean) continue;
      if (typeof clean === 'object' && clean !== null && Object.keys(clean).length === 0) continue;
      result[name] = clean;
    }
    return result;
  }
  return value as Json;
}

/** The translations that are not the text itself. */
const otherThan = (text: unknown, translations: object): object =>
  Object.fromEntries(
    Object.entries(translations).filter(([, translation]) => translation !== text),
  );

/** True when both lists mean the same commands, whatever Discord added and however it orders them. */
export function sameCommands(
  registered: readonly APIApplicationCommand[],
  ours: readonly RESTPostAPIApplicationCommandsJSONBody[],
): boolean {
  const key = (commands: readonly object[]) =>
    commands
      .map((command) => JSON.stringify({ type: 1, ...(normal(command) as object) }))
      .map((text) => JSON.stringify(normal(JSON.parse(text))))
      .sort()
      .join('\n');
  return registered.length === ours.length && key(registered) === key(ours);
}

export interface Places {
  /** the one server that is to have the commands; absent: all servers, through the global ones */
  readonly guildId?: string | undefined;
  /** the one server that had them before, where it was another */
  readonly formerGuildId?: string | undefined;
}

/**
 * Registers the commands where they differ from what Discord has: in one guild, or everywhere. What
 * an earlier start left in another place is taken away, so that nobody sees a command twice.
 * @returns true when anything was changed
 * @throws UserError 'guild-unknown' when the bot has no access to that server, 'registration-failed'
 *   when Discord did not answer as it should
 */
export async function registerCommands(
  rest: REST,
  applicationId: string,
  ours: readonly RESTPostAPIApplicationCommandsJSONBody[],
  { guildId, formerGuildId }: Places = {},
): Promise<boolean> {
  const everywhere = Routes.applicationCommands(applicationId);
  const within = (guild: string) => Routes.applicationGuildCommands(applicationId, guild);
  let changed: boolean;
  try {
    changed =
      guildId === undefined
        ? await bring(rest, everywhere, ours)
        : await bring(rest, within(guildId), ours.map(forGuild));
    if (guildId !== undefined) changed = (await bring(rest, everywhere, [])) || changed;
  } catch (error) {
    throw faultOf(error, guildId);
  }
  if (formerGuildId !== undefined && formerGuildId !== guildId) {
    try {
      changed = (await bring(rest, within(formerGuildId), [])) || changed;
    } catch (error) {
      // The bot is no longer in that server: nobody sees its commands there.
      if (!isOutOfReach(failureOf(error))) throw faultOf(error, undefined);
    }
  }
  return changed;
}

/** The sentence for the one who runs the bot; the error itself where it is a bug of ours. */
function faultOf(error: unknown, guildId: string | undefined): unknown {
  const failure = failureOf(error);
  if (isOutOfReach(failure) && guildId !== undefined) {
    return new UserError(
      'guild-unknown',
      `The commands cannot be registered in the server ${guildId} (DISCORD_GUILD_ID): the bot is not in it, or was invited without the scope applications.commands.`,
      { guildId },
    );
  }
  if (failure.kind !== 'later') return error;
  const reason = error instanceof Error ? error.message : '';
  return new UserError(
    'registration-failed',
    `Discord did not take the commands (${reason}); start the bot again in a while.`,
    { reason },
  );
}

/** Without what only global commands have: Discord does not give it back for those of a guild. */
function forGuild(
  command: RESTPostAPIApplicationCommandsJSONBody,
): RESTPostAPIApplicationCommandsJSONBody {
  const { contexts: _contexts, integration_types: _types, ...rest } = command;
  return rest;
}

/** Makes the commands at one route ours. True when they were not. */
async function bring(
  rest: REST,
  route: `/${string}`,
  ours: readonly RESTPostAPIApplicationCommandsJSONBody[],
): Promise<boolean> {
  const query = new URLSearchParams({ with_localizations: 'true' });
  const registered = (await again(() => rest.get(route, { query }))) as APIApplicationCommand[];
  if (sameCommands(registered, ours)) return false;
  await again(() => rest.put(route, { body: ours }));
  return true;
}
