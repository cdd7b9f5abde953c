// Where a picture comes from: whose its steps are, and where they are shown.

import { messageLink } from '../discord/message.js';
import type { Generation, Store } from '../store/types.js';

/** The generation that made the given step: this one, or the one it branched from. */
export async function ownerOfStep<T extends Pick<Generation, 'id' | 'parentId' | 'branchStep'>>(
  store: Store,
  generation: T,
  step: number,
): Promise<T | Generation | undefined> {
  let owner: T | Generation | undefined = generation;
  while (owner !== undefined && owner.branchStep !== null && step <= owner.branchStep) {
    owner = owner.parentId === null ? undefined : await store.get(owner.parentId);
  }
  return owner;
}

/**
 * A link to a picture's message; undefined where whoever reads the link could not open it: the message
 * is private or in another channel, or its id is not known.
 * @param channelId where the link is to stand
 */
export function linkTo(
  { reply }: Pick<Generation, 'reply'>,
  channelId: string,
): string | undefined {
  return reply.ephemeral || reply.channelId !== channelId ? undefined : messageLink(reply);
}

/** A link, as above, to the message of the picture that this one was made from, if that is still known. */
export async function originOf(
  store: Store,
  { parentId }: Pick<Generation, 'parentId'>,
  channelId: string,
): Promise<string | undefined> {
  const parent = parentId === null ? undefined : await store.get(parentId);
  return parent && linkTo(parent, channelId);
}
