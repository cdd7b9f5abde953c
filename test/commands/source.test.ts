// The parameters in the file of a picture that the store does not know: whose files are looked at.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MessageContextMenuCommandInteraction } from 'discord.js';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { rerollMessage } from '../../src/commands/messages/reroll.js';
import { parametersIn } from '../../src/commands/source.js';
import type { Bot } from '../../src/commands/types.js';
import type { Exchange } from '../../src/discord/exchange.js';
import { UserError } from '../../src/errors.js';

/** Of so much text librsvg would still be making lines when the last person has gone. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg"><text>${'x'.repeat(200_000)}</text></svg>`;

let server: Server;
let host: string;
let asked = 0;
let file: Buffer;
beforeAll(async () => {
  server = createServer((_request, response) => {
    asked += 1;
    response.end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked = 0;
});

const sent = () => ({
  url: `http://${host}/cute.png`,
  name: 'cute.png',
  size: file.length,
  contentType: 'image/png',
  width: null,
  height: null,
});

/** A bot whose engines never answer. */
function botWith(check: Bot['queue']['check'] = () => {}): Bot {
  return {
    attachmentHosts: [host],
    engines: { offered: [] },
    queue: { check },
    store: { get: async () => undefined, byMessage: async () => undefined },
  } as unknown as Bot;
}

test.each([
  ['an SVG', SVG],
  ['a text', 'no picture, only words that are long enough to be one'],
  ['nothing', ''],
])('%s by the name of a PNG is told apart at once', async (_name, text) => {
  file = Buffer.from(text);
  await expect(parametersIn(botWith(), sent())).rejects.toMatchObject({
    name: 'UserError',
    identifier: 'unknown-format',
  });
});

test('a picture that says nothing is known to say nothing, whatever the engines do', async () => {
  file = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#123' } })
    .webp()
    .toBuffer();
  expect(await parametersIn(botWith(), sent())).toBeUndefined();
});

test('a person with a full queue has nothing fetched', async () => {
  file = Buffer.from(SVG);
  const full = new UserError('queue-user-limit', 'You have too many.');
  const check = vi.fn(() => {
    throw full;
  });
  const interaction = {
    targetMessage: {
      id: '1',
      author: { id: '2' },
      client: { user: { id: '3' } },
      flags: { has: () => false },
      components: [],
      attachments: [sent()],
    },
  } as unknown as MessageContextMenuCommandInteraction;
  const exchange = { userId: '9', locale: 'en-US', defer: vi.fn() } as unknown as Exchange;
  const rerolled = rerollMessage.execute(interaction as never, exchange, botWith(check));
  await expect(rerolled).rejects.toBe(full);
  expect(check).toHaveBeenCalledExactlyOnceWith('9', 1);
  expect(asked).toBe(0);
});
