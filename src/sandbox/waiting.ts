// Waiting for a condition on what happens in the sandbox, with errors that tell what there is.

import type { JsonObject } from './errors.js';
import type { WaitOptions } from './types.js';
import { Flag, type StoredMessage, type World } from './world.js';

/** ms between two looks when nothing happens: a condition may depend on something outside. */
const LOOK = 100;

/**
 * Resolves with what `condition` gives as soon as that is neither false nor undefined.
 * @param describe what there is instead, for the error
 */
export function waitUntil<T>(
  world: World,
  condition: () => T | false | undefined,
  options: WaitOptions,
  describe: () => string,
): Promise<T> {
  const { timeout = 30_000, what = 'the condition', signal } = options;
  return new Promise<T>((resolve, reject) => {
    const look = () => {
      try {
        const found = condition();
        if (found !== false && found !== undefined) end(() => resolve(found));
      } catch (error) {
        end(() => reject(error));
      }
    };
    const aborted = () => end(() => reject(signal?.reason));
    const end = (settle: () => void) => {
      off();
      clearInterval(again);
      clearTimeout(limit);
      signal?.removeEventListener('abort', aborted);
      settle();
    };
    const off = world.events.on(look);
    const again = setInterval(look, LOOK);
    const limit = setTimeout(
      () => end(() => reject(new Error(`Waited ${timeout} ms in vain for ${what}. ${describe()}`))),
      timeout,
    );
    signal?.addEventListener('abort', aborted);
    if (signal?.aborted) aborted();
    else look();
  });
}

export function describeMessages(world: World, messages: readonly StoredMessage[]): string {
  if (messages.length === 0) return 'There are no messages.';
  const lines = messages.slice(-10).map((message) => `  ${describeMessage(message)}`);
  const bot = world.botOnline ? 'online' : 'offline';
  return `The bot is ${bot}; the newest messages are:\n${lines.join('\n')}`;
}

export function describeMessage(message: StoredMessage): string {
  const flags = [
    (message.flags & Flag.Loading) !== 0 ? 'loading' : '',
    message.ephemeralFor === null ? '' : 'ephemeral',
  ].filter(Boolean);
  const texts = JSON.stringify(
    [message.content, ...message.components.map(textOf)].filter(Boolean).join(' | '),
  );
  const files = message.attachments.map((file) => file.filename).join(', ');
  return `${message.id} ${flags.join(' ')} ${texts.slice(0, 400)}${files ? ` [${files}]` : ''}`;
}

/** Labels and texts of a component. */
function textOf(one: JsonObject): string {
  const parts = [one.label, one.content, one.placeholder].filter(
    (text) => typeof text === 'string',
  );
  const inner = [one.components, one.items].flatMap((list) =>
    Array.isArray(list) ? (list as JsonObject[]).map(textOf) : [],
  );
  return [...parts, ...inner].filter(Boolean).join(', ');
}
