// What a message of the bot's is made of, and where it lives.

import type { APIActionRowComponent, APIComponentInMessageActionRow } from 'discord-api-types/v10';

export type Row = APIActionRowComponent<APIComponentInMessageActionRow>;

export interface MessageFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array;
  /** alt text, at most 1024 characters */
  readonly description?: string;
}

/** The whole of a message: an edit replaces content, components and files together. */
export interface MessageBody {
  /** at most 2000 characters */
  readonly content: string;
  readonly components: readonly Row[];
  readonly files: readonly MessageFile[];
}

/** What an interaction leaves in one's hand: a token that reaches its replies for 15 minutes. */
export interface ReplyToken {
  readonly interactionId: string;
  readonly interactionToken: string;
  /** ms since the epoch */
  readonly tokenExpiresAt: number;
  /** where the interaction took place */
  readonly channelId: string;
}

/** Where a reply lives and what can still reach it. */
export interface ReplyAddress extends ReplyToken {
  readonly applicationId: string;
  /** a message's id, '@original' while only Discord knows it, null while there is no message */
  readonly messageId: string | null;
  readonly ephemeral: boolean;
  /** true: the token calls the message '@original' though it did not make it: from a press on it */
  readonly pressed?: boolean;
  /** from something else that its owner did later: makes a new private message where the first token is dead */
  readonly relief?: ReplyToken;
}

/** The reply to the interaction itself, before its id is known. */
export const ORIGINAL = '@original';

/** How long an interaction's token can be used, less a margin for clocks and travel, in ms. */
export const TOKEN_LIFETIME = 15 * 60_000 - 10_000;

/** Text and nothing else. */
export function textOnly(content: string): MessageBody {
  return { content, components: [], files: [] };
}

/** Where people open a message in their client; undefined while its id is not known. */
export function messageLink({
  guildId,
  channelId,
  messageId,
}: {
  /** null: in a direct message */
  readonly guildId: string | null;
  readonly channelId: string;
  readonly messageId: string | null;
}): string | undefined {
  if (messageId === null || messageId === ORIGINAL) return undefined;
  return `https://discord.com/channels/${guildId ?? '@me'}/${channelId}/${messageId}`;
}
