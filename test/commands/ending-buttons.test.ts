// Stop and Cancel on what is left of a picture that has ended.

import type { MessageComponentInteraction } from 'discord.js';
import { expect, test, vi } from 'vitest';
import { cancelButton, stopButton } from '../../src/commands/buttons/ending.js';
import type { Bot, ButtonFamily } from '../../src/commands/types.js';
import type { Exchange } from '../../src/discord/exchange.js';
import { freshStore, newGeneration, REPLY } from '../store/support.js';

/** A press on a message; the picture, which is not in the queue, stands in message 77. */
async function press(button: ButtonFamily, on: string, { ended = true, delivered = true } = {}) {
  const store = await freshStore();
  await store.create(newGeneration('g1', { reply: { ...REPLY, messageId: '77' } }));
  if (ended) await store.finish('g1', { state: 'cancelled' }, Date.now());
  if (delivered) await store.delivered('g1', '77');
  const deleteReply = vi.fn(async () => {});
  const pressed = button.press?.(
    { user: { id: 'u1' }, message: { id: on } } as MessageComponentInteraction,
    { verb: button.verb, generation: 'g1', args: [] },
    { deferUpdate: async () => {}, deleteReply } as unknown as Exchange,
    {
      store,
      generations: { renew: () => {}, stop: () => false, cancel: () => false },
    } as unknown as Bot,
  );
  await expect(pressed).rejects.toThrow('already ended');
  return deleteReply.mock.calls.length;
}

test.each([stopButton, cancelButton])('on a twin $verb removes it', async (button) => {
  expect(await press(button, '78')).toBe(1);
});

test.each([stopButton, cancelButton])('on the picture itself $verb removes nothing', async (b) => {
  expect(await press(b, '77')).toBe(0);
});

test('while the end is not delivered no message is taken for a twin', async () => {
  expect(await press(cancelButton, '78', { delivered: false })).toBe(0);
  expect(await press(cancelButton, '78', { ended: false })).toBe(0);
});
