// Sorts what can go wrong on the way to Discord into the few cases that callers act on.

import { setTimeout as delay } from 'node:timers/promises';
import { DiscordAPIError, HTTPError, RateLimitError } from 'discord.js';

/**
 * - `later`: nothing wrong with the request; try again after `afterMs`. `lost` is true when it may
 *   have been carried out although no answer came. Also where the bot's own token is no longer good:
 *   then the process ends, and the next one has another.
 * - `token`: the interaction's token is dead; the bot's own may still do.
 * - `gone`: the message or its channel is gone; trying again is pointless.
 * - `forbidden`: the message or its channel is there, but closed to the bot: its picture has to reach
 *   its owner by another way.
 * - `too-large`: a file is larger than the one who sends it may upload there: an interaction's
 *   token stands for a person and their server, whose limits may be wider than the bot's.
 * - `acknowledged`: the interaction has had its first answer.
 * - `refused`: Discord finds fault with the request itself, which is a bug of ours.
 */
export type Failure =
  | { readonly kind: 'later'; readonly afterMs: number | undefined; readonly lost: boolean }
  | {
      readonly kind: 'token' | 'gone' | 'forbidden' | 'too-large' | 'acknowledged' | 'refused';
    };

/** Discord's JSON error codes that mean: there is nothing there (any more) for us. */
const GONE: ReadonlySet<number | string> = new Set([
  10_003, // unknown channel
  10_004, // unknown guild
  10_008, // unknown message
  10_062, // unknown interaction
]);

const ARCHIVED = 50_083;

/** And those that mean: not for the bot, as things stand. */
const FORBIDDEN: ReadonlySet<number | string> = new Set([
  50_001, // missing access
  50_007, // no messages to this person
  50_013, // missing permissions
  ARCHIVED, // the thread is archived
  160_005, // the thread is locked
  20_009, // explicit content to somebody who takes none
  400_001, // uploads are limited in this server
]);

const TOO_LARGE: ReadonlySet<number | string> = new Set([40_005, 50_045]);

/** The thread has been archived: its messages cannot be changed, but a new one opens it again. */
export function isArchived(error: unknown): boolean {
  return error instanceof DiscordAPIError && error.code === ARCHIVED;
}

/** Calls that an interaction's token opens, not the bot's. */
const BY_INTERACTION = /\/(?:interactions|webhooks)\//;

const NO_TOKEN: Failure = { kind: 'later', afterMs: undefined, lost: false };

/** Whether what a call was for is gone, or closed to the bot. */
export function isOutOfReach({ kind }: Failure): boolean {
  return kind === 'gone' || kind === 'forbidden';
}

/** Says what a failed call to Discord means for the caller. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RateLimitError) {
    const afterMs = Math.max(error.retryAfter, error.sublimitTimeout, error.timeToReset, 50);
    return { kind: 'later', afterMs, lost: false };
  }
  if (error instanceof HTTPError) return { kind: 'later', afterMs: undefined, lost: true };
  if (error instanceof DiscordAPIError) {
    if (error.code === 50_027 || error.code === 10_015) return { kind: 'token' };
    if (error.status === 401) return BY_INTERACTION.test(error.url) ? { kind: 'token' } : NO_TOKEN;
    if (error.code === 40_060) return { kind: 'acknowledged' };
    if (TOO_LARGE.has(error.code) || error.status === 413) return { kind: 'too-large' };
    if (FORBIDDEN.has(error.code) || error.status === 403) return { kind: 'forbidden' };
    if (GONE.has(error.code) || error.status === 404) return { kind: 'gone' };
    return { kind: 'refused' };
  }
  // discord.js forgets a token that Discord has refused once.
  if (error instanceof Error && error.message.startsWith('Expected token to be set'))
    return NO_TOKEN;
  if (isTransport(error)) return { kind: 'later', afterMs: undefined, lost: true };
  return { kind: 'refused' };
}

/** Sockets that closed, refused or took too long. undici and Node name them in several ways. */
function isTransport(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return true;
  if ('code' in error && typeof error.code === 'string') {
    return /^(UND_ERR_|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)/.test(
      error.code,
    );
  }
  return error.cause !== undefined && isTransport(error.cause);
}

/** Waiting time before try number `attempt` (from 1) where Discord named none: 250 ms doubling to 15 s. */
export function backoff(attempt: number): number {
  return Math.min(250 * 2 ** (attempt - 1), 15_000);
}

/** Tries of what is done once at the start, over some seconds: a connection may be dropped. */
const TRIES = 5;

/** The call's result, from the first try that gets there; what no later try can mend is thrown at once. */
export async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== 'later' || failure === NO_TOKEN || attempt === TRIES) throw error;
      await delay(failure.afterMs ?? backoff(attempt));
    }
  }
}
