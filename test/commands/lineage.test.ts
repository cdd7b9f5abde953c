// The way from a picture back to the one that it was made from, where whoever reads it can go it.

import { expect, test } from 'vitest';
import { originOf } from '../../src/commands/lineage.js';
import { ORIGINAL } from '../../src/discord/message.js';
import type { ReplyTarget } from '../../src/store/types.js';
import { freshStore, newGeneration, REPLY } from '../store/support.js';

const CHANNEL = REPLY.channelId;

/** Where a picture links to whose parent has such a reply. */
async function linkTo(reply: Partial<ReplyTarget>, channel = CHANNEL): Promise<string | undefined> {
  const store = await freshStore();
  const shown = { ...REPLY, guildId: '4', messageId: '5', ...reply };
  await store.create(newGeneration('parent', { reply: shown }));
  return originOf(store, { parentId: 'parent' }, channel);
}

test('is the address of the message in its server, or among the direct messages', async () => {
  expect(await linkTo({})).toBe(`https://discord.com/channels/4/${CHANNEL}/5`);
  expect(await linkTo({ guildId: null })).toBe(`https://discord.com/channels/@me/${CHANNEL}/5`);
});

test('is there for no private message, for none in another channel, and for none without an id', async () => {
  expect(await linkTo({ ephemeral: true })).toBeUndefined();
  expect(await linkTo({}, '6')).toBeUndefined();
  expect(await linkTo({ messageId: null })).toBeUndefined();
  expect(await linkTo({ messageId: ORIGINAL })).toBeUndefined();
});

test('is there for no picture that came from none, or from one that is forgotten', async () => {
  const store = await freshStore();
  expect(await originOf(store, { parentId: null }, CHANNEL)).toBeUndefined();
  expect(await originOf(store, { parentId: 'gone' }, CHANNEL)).toBeUndefined();
});
