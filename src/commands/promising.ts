// From what somebody asks for to what is promised them: a row of the store for each picture.

import { randomBytes } from 'node:crypto';
import type { Exchange } from '../discord/exchange.js';
import { ORIGINAL } from '../discord/message.js';
import type { OfferedModel } from '../engine/types.js';
import type { InitSource, NewGeneration } from '../store/types.js';
import { modelName, type Promised } from './facts.js';
import type { Wish } from './generations.js';

/** A picture as the store is to hold it, and as this process remembers it: without its init image. */
export interface NewPromise {
  readonly row: NewGeneration;
  readonly generation: Promised;
}

/**
 * What one interaction asks for, all of it of one model and from now on with ids: they are there
 * before the interaction is acknowledged, for the store is asked first.
 */
export function promisesFor(
  wishes: readonly Wish[],
  model: OfferedModel,
  exchange: Exchange,
  ephemeral: boolean,
): NewPromise[] {
  const now = Date.now();
  const ids = wishes.map(() => newId());
  return wishes.map((wish, index): NewPromise => {
    const promise = {
      id: ids[index] as string,
      userId: exchange.userId,
      // By its name, so that what follows on this picture finds its model when the default changes.
      parameters: { ...wish.parameters, model: model.name },
      model: modelName(model),
      parentId: wish.parent?.id ?? null,
      parentRelation: wish.parent?.relation ?? null,
      branchStep: wish.parent?.branch?.step ?? null,
      branchSeed: wish.parent?.branch?.seed ?? null,
      reply: {
        ...exchange.address(ephemeral),
        // The first picture takes the reply; the others get a message each, made when it is shown.
        messageId: index === 0 ? ORIGINAL : null,
        guildId: exchange.guildId,
        locale: exchange.locale,
        attachmentLimit: exchange.attachmentLimit,
      },
      createdAt: now + index,
    };
    const first = index === 0 ? undefined : { id: ids[0] as string, init: wishes[0]?.init };
    return {
      row: { ...promise, ...initOf(wish, first) },
      generation: {
        ...promise,
        hasInit: wish.init !== undefined,
        hasMask: wish.masked ?? false,
      },
    };
  });
}

/** The files are sent to the store once; the other pictures of a command begin from the first's. */
function initOf(
  { init }: Wish,
  first: { readonly id: string; readonly init: InitSource | undefined } | undefined,
): Pick<NewGeneration, 'init'> {
  if (init === undefined) return {};
  const shared = first !== undefined && 'image' in init && init === first.init;
  return { init: shared ? { from: first.id } : init };
}

/** An id that fits into custom ids and nonces: 12 characters of base64url, 72 bits. */
function newId(): string {
  return randomBytes(9).toString('base64url');
}
