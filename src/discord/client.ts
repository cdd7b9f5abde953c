// The gateway client: slash commands and buttons need no privileged intent and hardly any cache.

import { Client, type ClientOptions, GatewayIntentBits, Options } from 'discord.js';

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
