// What a person is told whose view of steps outlives the engine that drew it.

import type { Interaction } from 'discord.js';
import { expect, test, vi } from 'vitest';
import { handleInteraction } from '../../src/commands/index.js';
import type { Bot } from '../../src/commands/types.js';
import { Views } from '../../src/commands/views.js';
import type { MessageBody } from '../../src/discord/message.js';
import { EngineDied } from '../../src/engine/types.js';
import { createLogger } from '../../src/log.js';
import { freshStore, keptStep, newGeneration, picture } from '../store/support.js';

/** A press on Steps of one's own picture, over which the engine dies for good. */
async function steps(locale: string) {
  const store = await freshStore();
  await store.create(newGeneration('g1'));
  for (const index of [1, 2]) await store.keepStep('g1', keptStep(index, 2), new Uint8Array(1));
  await store.finish(
    'g1',
    { state: 'done', file: picture(9), infotext: '', flagged: false },
    Date.now(),
  );
  const said: string[] = [];
  const say = async (_address: unknown, body: MessageBody) => {
    said.push(body.content);
    return { messageId: '77', paceMs: 0 };
  };
  let log = '';
  const evolution = vi.fn(async () => {
    throw new EngineDied('The engine process was killed twice under one job.');
  });
  const bot = {
    ...{ store, views: new Views(1), engines: { any: () => ({ evolution }) } },
    rest: {
      answer: async () => '77',
      editByToken: say,
      followUp: say,
      deleteByToken: async () => {},
    },
    answers: { open: async () => {}, close: () => {} },
    generations: { seen: () => {} },
    logger: createLogger('info', { write: (text) => (log += text) }),
  } as unknown as Bot;
  const interaction = {
    ...{ id: '2', token: 'tok', applicationId: '1', channelId: '5', guildId: '6', locale },
    ...{ user: { id: 'u1' }, attachmentSizeLimit: 0, customId: 'steps:g1' },
    isChatInputCommand: () => false,
    isMessageContextMenuCommand: () => false,
    isAutocomplete: () => false,
    isMessageComponent: () => true,
  } as unknown as Interaction;
  await handleInteraction(interaction, bot);
  expect(evolution).toHaveBeenCalledOnce();
  return { said, log };
}

test.each([
  ['en-US', 'The engine died over this; try again in a moment.'],
  ['de', 'abgestürzt'],
  ['fr', 'planté'],
])(
  'that the engine died is told as what it is, and nobody looks for a bug: %s',
  async (locale, sentence) => {
    const { said, log } = await steps(locale);
    expect(said.at(-1)).toContain(sentence);
    expect(log).not.toContain('something broke');
  },
);
