// Whose pictures the window of "Use as init image" can reach: a custom id is whatever its sender says.

import type { ModalSubmitInteraction } from 'discord.js';
import { expect, test, vi } from 'vitest';
import { initWindow } from '../../src/commands/messages/init.js';
import type { Bot } from '../../src/commands/types.js';
import { parseCustomId } from '../../src/discord/custom-id.js';
import type { Exchange } from '../../src/discord/exchange.js';

/** Sends a window whose picture is not kept, from channel 5. */
function submit(customId: string) {
  const message = vi.fn(async () => undefined);
  const bot = { store: { setting: async () => undefined }, rest: { message } } as unknown as Bot;
  const exchange = { userId: '9', locale: 'en-US', defer: vi.fn() } as unknown as Exchange;
  const interaction = {
    channelId: '5',
    fields: { getTextInputValue: () => '' },
  } as unknown as ModalSubmitInteraction;
  const pressed = parseCustomId(customId);
  if (pressed === undefined) throw new Error(`${customId} is no custom id`);
  const sent = initWindow.submit?.(interaction, pressed, exchange, bot);
  return { sent, message, exchange };
}

test('a picture of another channel than the one it is sent from is not looked up', async () => {
  const { sent, message, exchange } = submit('init:77:6:88:');
  await expect(sent).rejects.toMatchObject({ identifier: 'no-picture' });
  expect(message).not.toHaveBeenCalled();
  expect(exchange.defer).not.toHaveBeenCalled();
});

test('one of the same channel is looked up where its message is', async () => {
  const { sent, message } = submit('init:77:5:88:');
  await expect(sent).rejects.toMatchObject({ identifier: 'no-picture' });
  expect(message).toHaveBeenCalledExactlyOnceWith('5', '88');
});
