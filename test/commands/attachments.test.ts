// Files are fetched from allowed hosts only, whole and within their size.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchAttachment } from '../../src/commands/source.js';

let server: Server;
let host: string;
let asked = 0;
beforeAll(async () => {
  server = createServer((request, response) => {
    asked += 1;
    if (request.url === '/moved') response.writeHead(302, { location: '/file' }).end();
    else if (request.url === '/missing') response.writeHead(404).end();
    else if (request.url === '/huge') {
      const chunk = Buffer.alloc(1024 * 1024);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) {}
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    } else response.end('the file');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('a file from an allowed host arrives whole', async () => {
  const bytes = await fetchAttachment(`http://${host}/file`, [host]);
  expect(Buffer.from(bytes).toString()).toBe('the file');
});

test.each([
  ['another port', () => 'http://127.0.0.1:1/file'],
  ['another host', () => 'https://example.org/file'],
  ['a host that only begins like it', () => `http://${host}.example.org/file`],
  ['a name before an @', () => `http://${host}@example.org/file`],
  ['plain http to another machine', () => 'http://cdn.discordapp.com/file'],
  ['a file address', () => 'file:///etc/passwd'],
  ['no address', () => 'nonsense'],
])('%s is not even asked', async (_name, address) => {
  const before = asked;
  await expect(fetchAttachment(address(), [host, 'cdn.discordapp.com'])).rejects.toMatchObject({
    identifier: 'unknown-generation',
  });
  expect(asked).toBe(before);
});

test.each(['/moved', '/missing', '/huge'])('%s is refused', async (path) => {
  await expect(fetchAttachment(`http://${host}${path}`, [host])).rejects.toMatchObject({
    identifier: 'unknown-generation',
  });
});
