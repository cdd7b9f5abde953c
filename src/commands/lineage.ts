// Where a picture comes from: whose its steps are, and which message shows the picture before it.

import { messageLink } from '../discord/message.js';
import type { Generation, Store } from '../store/types.js';

/** The generation that made the given step: this one, or the one it branched from. */
export async function ownerOfStep(
  store: Store,
  generation: Generation,
  step: number,
): Promise<Generation | undefined> {
  let owner: Generation | undefined = generation;
  while (owner !== undefined && owner.branchStep !== null && step <= owner.branchStep) {
    owner = owner.parentId === null ? undefined : await store.get(owner.parentId);
  }
  return owner;
}

/**
 * A link to the message of the picture that this one was made from; undefined where whoever reads the
 * link could not open it: that message is private, in another channel, or no longer known.
 * @param channelId where the link is to stand
 */
export async function originOf(
  store: Store,
  { parentId }: Pick<Generation, 'parentId'>,
  channelId: string,
): Promise<string | undefined> {
  const parent = parentId === null ? undefined : await store.get(parentId);
  if (parent === undefined || parent.reply.ephemeral) return undefined;
  if (parent.reply.channelId !== channelId) return undefined;
  return messageLink(parent.reply);
}
