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

/** Where a reply lives and what can still reach it. */
export interface ReplyAddress {
  readonly applicationId: string;
  readonly interactionId: string;
  readonly interactionToken: string;
  /** ms since the epoch */
  readonly tokenExpiresAt: number;
  readonly channelId: string;
  /** a message's id, '@original' while only Discord knows it, null while there is no message */
  readonly messageId: string | null;
  readonly ephemeral: boolean;
}

/** The reply to the interaction itself, before its id is known. */
export const ORIGINAL = '@original';

/** How long an interaction's token can be used, less a margin for clocks and travel, in ms. */
export const TOKEN_LIFETIME = 15 * 60_000 - 10_000;

/** Text and nothing else. */
export function textOnly(content: string): MessageBody {
  return { content, components: [], files: [] };
}
