// Who and what there is: the server, its one channel, the bot and the people who can be tried.

import type { JsonObject } from './errors.js';
import type { World } from './world.js';

export const APPLICATION_ID = '1100000000000000001';
export const GUILD_ID = '1100000000000000002';
export const CHANNEL_ID = '1100000000000000003';
export const BOT_ROLE_ID = '1100000000000000004';
export const BOT_NAME = 'Ylem';

/** Of the shape of a real token: the application's id in base64, a time, a secret. */
export const DEFAULT_TOKEN = `${Buffer.from(APPLICATION_ID).toString('base64url')}.Sandbx.loopback-only-this-opens-nothing-else`;

/** All that a text channel's members usually may, attach files and use commands included. */
const MEMBER_PERMISSIONS =
  (1n << 10n) | (1n << 11n) | (1n << 14n) | (1n << 15n) | (1n << 16n) | (1n << 31n);
const MODERATOR_PERMISSIONS = MEMBER_PERMISSIONS | (1n << 13n) | (1n << 5n);
const BOT_PERMISSIONS = MEMBER_PERMISSIONS | (1n << 18n);

export interface Person {
  readonly id: string;
  /** lower case, as Discord's user names are */
  readonly username: string;
  readonly name: string;
  locale: string;
  moderator: boolean;
}

export const FIRST_PEOPLE: readonly Person[] = [
  { id: '1100000000000000101', username: 'ada', name: 'Ada', locale: 'en-US', moderator: false },
  { id: '1100000000000000102', username: 'ben', name: 'Ben', locale: 'en-US', moderator: false },
  { id: '1100000000000000103', username: 'cleo', name: 'Cleo', locale: 'en-US', moderator: true },
];

const JOINED = '2024-01-01T00:00:00.000000+00:00';

export function userObject(person: Person): JsonObject {
  return {
    id: person.id,
    username: person.username,
    global_name: person.name,
    discriminator: '0',
    avatar: null,
    bot: false,
    public_flags: 0,
    flags: 0,
    avatar_decoration_data: null,
    banner: null,
    accent_color: null,
    primary_guild: null,
  };
}

export function botUser(): JsonObject {
  return {
    id: APPLICATION_ID,
    username: BOT_NAME,
    global_name: null,
    discriminator: '0000',
    avatar: null,
    bot: true,
    public_flags: 0,
    flags: 0,
    avatar_decoration_data: null,
    banner: null,
    accent_color: null,
    primary_guild: null,
  };
}

/** The bot as `GET /users/@me` gives it. */
export function botSelf(): JsonObject {
  return { ...botUser(), mfa_enabled: false, verified: true, email: null, locale: 'en-US' };
}

export function permissionsOf(person: Person): string {
  return (person.moderator ? MODERATOR_PERMISSIONS : MEMBER_PERMISSIONS).toString();
}

export const appPermissions = () => BOT_PERMISSIONS.toString();

export function memberObject(): JsonObject {
  return {
    avatar: null,
    banner: null,
    communication_disabled_until: null,
    deaf: false,
    flags: 0,
    joined_at: JOINED,
    mute: false,
    nick: null,
    pending: false,
    premium_since: null,
    roles: [],
  };
}

export function botMember(): JsonObject {
  return { ...memberObject(), roles: [BOT_ROLE_ID], user: botUser() };
}

export function channelObject(): JsonObject {
  return {
    id: CHANNEL_ID,
    type: 0,
    guild_id: GUILD_ID,
    name: 'pictures',
    topic: null,
    nsfw: false,
    position: 0,
    parent_id: null,
    permission_overwrites: [],
    rate_limit_per_user: 0,
    last_message_id: null,
    flags: 0,
  };
}

function roles(): JsonObject[] {
  const role = {
    color: 0,
    hoist: false,
    icon: null,
    unicode_emoji: null,
    mentionable: false,
    flags: 0,
  };
  const colors = { primary_color: 0, secondary_color: null, tertiary_color: null };
  return [
    {
      ...role,
      colors,
      id: GUILD_ID,
      name: '@everyone',
      position: 0,
      permissions: MEMBER_PERMISSIONS.toString(),
      managed: false,
    },
    {
      ...role,
      colors,
      id: BOT_ROLE_ID,
      name: BOT_NAME,
      position: 1,
      permissions: BOT_PERMISSIONS.toString(),
      managed: true,
      tags: { bot_id: APPLICATION_ID },
    },
  ];
}

export const guildRoles = roles;

export function guildObject(): JsonObject {
  return {
    id: GUILD_ID,
    name: 'Sandbox',
    icon: null,
    description: null,
    splash: null,
    discovery_splash: null,
    banner: null,
    home_header: null,
    owner_id: (FIRST_PEOPLE[2] as Person).id,
    application_id: null,
    region: 'us-west',
    afk_channel_id: null,
    afk_timeout: 300,
    system_channel_id: null,
    system_channel_flags: 0,
    widget_enabled: false,
    widget_channel_id: null,
    verification_level: 0,
    roles: roles(),
    default_message_notifications: 1,
    mfa_level: 0,
    explicit_content_filter: 0,
    max_presences: null,
    max_members: 500000,
    max_stage_video_channel_users: 50,
    max_video_channel_users: 25,
    vanity_url_code: null,
    premium_tier: 0,
    premium_subscription_count: 0,
    preferred_locale: 'en-US',
    rules_channel_id: null,
    safety_alerts_channel_id: null,
    public_updates_channel_id: null,
    premium_progress_bar_enabled: false,
    nsfw: false,
    nsfw_level: 0,
    emojis: [],
    stickers: [],
    features: [],
    hub_type: null,
    incidents_data: null,
  };
}

/** The guild as GUILD_CREATE brings it. */
export function guildCreate(world: World): JsonObject {
  return {
    ...guildObject(),
    joined_at: JOINED,
    large: false,
    unavailable: false,
    member_count: world.people.size + 1,
    voice_states: [],
    members: [botMember()],
    channels: [channelObject()],
    threads: [],
    presences: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}

export function applicationObject(): JsonObject {
  return {
    id: APPLICATION_ID,
    name: BOT_NAME,
    icon: null,
    description: 'A bot in the sandbox',
    summary: '',
    type: null,
    bot: botUser(),
    bot_public: true,
    bot_require_code_grant: false,
    verify_key: '0'.repeat(64),
    flags: 0,
    hook: true,
    is_monetized: false,
    redirect_uris: [],
    interactions_endpoint_url: null,
    role_connections_verification_url: null,
    owner: { ...botUser(), id: (FIRST_PEOPLE[2] as Person).id, username: 'cleo', bot: false },
    approximate_guild_count: 1,
    approximate_user_install_count: 0,
    approximate_user_authorization_count: 0,
    flags_new: '0',
    explicit_content_filter: 0,
    eligible_oauth2_scopes: [],
    team: null,
    integration_types_config: { '0': {} },
  };
}
