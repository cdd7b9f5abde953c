// The gateway client: slash commands and buttons need no privileged intent and hardly any cache.

import {
  Client,
  type ClientOptions,
  DiscordAPIError,
  DiscordjsError,
  DiscordjsErrorCodes,
  Events,
  GatewayCloseCodes,
  GatewayIntentBits,
  HTTPError,
  Options,
} from 'discord.js';
import { UserError } from '../errors.js';
import { again } from './failures.js';

/** @param api base address of a Discord-compatible REST API, without `/v10` and without a trailing slash */
export function createClient(api: string): Client {
  const options: ClientOptions = {
    intents: [GatewayIntentBits.Guilds],
    rest: { api },
    allowedMentions: { parse: [] },
    makeCache: Options.cacheWithLimits({
      ...Options.DefaultMakeCacheSettings,
      MessageManager: 0,
      GuildMemberManager: {
        maxSize: 0,
        keepOverLimit: (member) => member.id === member.client.user.id,
      },
      UserManager: { maxSize: 0, keepOverLimit: (user) => user.id === user.client.user.id },
      ReactionManager: 0,
      PresenceManager: 0,
      VoiceStateManager: 0,
    }),
  };
  return new Client(options);
}

/**
 * Logs in and waits until the gateway says that the bot is ready.
 * @returns the application's id
 * @throws UserError with one sentence when Discord refuses or cannot be reached. discord.js may go
 *   on reconnecting even so: end the process.
 */
export async function login(client: Client, api: string, token: string): Promise<string> {
  const ready = new Promise<Client<true>>((resolve) => client.once(Events.ClientReady, resolve));
  try {
    await again(() => client.login(token));
  } catch (error) {
    throw new UserError('login-failed', loginSentence(error, api));
  }
  return (await ready).application.id;
}

/** Calls `tell` when Discord has closed the gateway for good: the client does not reconnect then. */
export function onClosedForGood(client: Client, tell: (reason: UserError) => void): void {
  client.on(Events.ShardDisconnect, ({ code }) => {
    const reason =
      code === GatewayCloseCodes.AuthenticationFailed
        ? 'the token in DISCORD_TOKEN is no longer good; copy a new one from the developer portal'
        : code === GatewayCloseCodes.ShardingRequired
          ? 'the bot is in too many servers for one connection'
          : `the connection was closed with code ${code}`;
    tell(new UserError('gateway-closed', `Discord lets the bot in no more: ${reason}.`, { code }));
  });
}

function loginSentence(error: unknown, api: string): string {
  const { host } = new URL(api);
  const refused =
    (error instanceof DiscordjsError && error.code === DiscordjsErrorCodes.TokenInvalid) ||
    (error instanceof DiscordAPIError && error.status === 401);
  if (refused)
    return `${host} refused the token in DISCORD_TOKEN; copy a new one from the developer portal.`;
  const advice = /\/api$/.test(api)
    ? 'check the network and DISCORD_API_BASE.'
    : `does the path of DISCORD_API_BASE end in /api? It is ${api}`;
  const reason = reasonOf(error);
  return `${host} could not be reached or did not let the bot in${reason === '' ? '' : ` (${reason})`}; ${advice}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof DiscordAPIError || error instanceof HTTPError)
    return `it answered with status ${error.status}`;
  if (!(error instanceof Error)) return '';
  if (error.cause instanceof Error) return error.cause.message;
  // discord.js read an answer that was none, such as a web page.
  return error instanceof TypeError ? 'it did not answer as Discord does' : error.message;
}
