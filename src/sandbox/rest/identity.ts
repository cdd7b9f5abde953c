// Who the bot is and where it is: users, application, server, channel, gateway address.

import {
  missingAccess,
  unknownChannel,
  unknownGuild,
  unknownMember,
  unknownUser,
} from '../errors.js';
import {
  APPLICATION_ID,
  applicationObject,
  botMember,
  botSelf,
  botUser,
  CHANNEL_ID,
  channelObject,
  GUILD_ID,
  guildObject,
  guildRoles,
  memberObject,
  userObject,
} from '../people.js';
import { type Call, noContent, ok, param, type Route } from '../routes.js';

function guild(call: Call): void {
  if (param(call, 'guild') !== GUILD_ID) throw unknownGuild();
}

function channel(call: Call): void {
  if (param(call, 'channel') !== CHANNEL_ID) throw unknownChannel();
}

/** @param gatewayUrl asked for at each call, as it is known only once the server listens */
export function identityRoutes(gatewayUrl: () => string): Route[] {
  return [
    { method: 'GET', pattern: '/gateway', open: true, handle: () => ok({ url: gatewayUrl() }) },
    {
      method: 'GET',
      pattern: '/gateway/bot',
      handle: () =>
        ok({
          url: gatewayUrl(),
          shards: 1,
          session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
        }),
    },
    { method: 'GET', pattern: '/users/@me', handle: () => ok(botSelf()) },
    {
      method: 'GET',
      pattern: '/users/@me/guilds',
      handle: () =>
        ok([
          {
            id: GUILD_ID,
            name: guildObject().name,
            icon: null,
            banner: null,
            owner: false,
            permissions: '0',
            features: [],
          },
        ]),
    },
    // People here take no direct messages.
    {
      method: 'POST',
      pattern: '/users/@me/channels',
      handle: () => {
        throw missingAccess();
      },
    },
    {
      method: 'GET',
      pattern: '/users/:user',
      handle: (call) => {
        const id = param(call, 'user');
        if (id === APPLICATION_ID) return ok(botUser());
        const person = call.world.people.get(id);
        if (!person) throw unknownUser();
        return ok(userObject(person));
      },
    },
    { method: 'GET', pattern: '/applications/@me', handle: () => ok(applicationObject()) },
    { method: 'GET', pattern: '/oauth2/applications/@me', handle: () => ok(applicationObject()) },
    {
      method: 'GET',
      pattern: '/guilds/:guild',
      handle: (call) => {
        guild(call);
        return ok(guildObject());
      },
    },
    {
      method: 'GET',
      pattern: '/guilds/:guild/channels',
      handle: (call) => {
        guild(call);
        return ok([channelObject()]);
      },
    },
    {
      method: 'GET',
      pattern: '/guilds/:guild/roles',
      handle: (call) => {
        guild(call);
        return ok(guildRoles());
      },
    },
    {
      method: 'GET',
      pattern: '/guilds/:guild/members/:user',
      handle: (call) => {
        guild(call);
        const id = param(call, 'user');
        if (id === APPLICATION_ID || id === '@me') return ok(botMember());
        const person = call.world.people.get(id);
        if (!person) throw unknownMember();
        return ok({ ...memberObject(), user: userObject(person) });
      },
    },
    {
      method: 'GET',
      pattern: '/channels/:channel',
      handle: (call) => {
        channel(call);
        return ok(channelObject());
      },
    },
    {
      method: 'POST',
      pattern: '/channels/:channel/typing',
      handle: (call) => {
        channel(call);
        return noContent();
      },
    },
  ];
}
