// How a generation that has ended is shown: its picture, or the sentence that tells why there is none.

import { altText } from '../discord/alt-text.js';
import { plain } from '../discord/display.js';
import type { MessageBody } from '../discord/message.js';
import { donePanel, endedPanel, type PictureFacts } from '../discord/panels.js';
import type { Texts } from '../discord/texts/index.js';
import type { Generation, Store } from '../store/types.js';
import { fileOf, type Promised } from './facts.js';
import { originOf } from './lineage.js';
import type { Painted } from './painting.js';

/** How a generation that has ended is shown. */
export async function endOf(
  store: Store,
  generation: Generation,
  facts: PictureFacts,
  texts: Texts,
): Promise<MessageBody> {
  const { id, state, failure, flagged, changed, hasFile, stepIndex, stepTotal } = generation;
  if (state === 'cancelled') return endedPanel(facts, texts.cancelled, texts);
  const file = hasFile ? await store.file(id) : undefined;
  if (file === undefined) return endedPanel(facts, failure ?? texts.broke(id), texts);
  const stopped = state === 'stopped' ? { index: stepIndex, total: stepTotal } : undefined;
  const painted = { file, stopped, total: stepTotal, flagged, changed: changed ?? undefined };
  const origin = await originOf(store, generation, generation.reply.channelId);
  return pictureOf(generation, facts, painted, texts, origin);
}

/**
 * The picture and all that makes it again.
 * @param origin a link to the message of the picture that it was made from
 */
export function pictureOf(
  { id, parameters }: Promised,
  facts: PictureFacts,
  { file, ...outcome }: Painted,
  texts: Texts,
  origin: string | undefined,
): MessageBody {
  const prompt = plain(parameters.prompt, Number.POSITIVE_INFINITY); // what is too long is cut once
  const shown = fileOf(file, id, 'ylem', altText({ ...parameters, prompt }, texts));
  return donePanel(facts, { ...outcome, origin, file: shown }, texts);
}
