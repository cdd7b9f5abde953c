// Files are fetched from allowed hosts only, whole, within their size; and are pictures by their bytes.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchAttachment, fetchInit, type SentFile } from '../../src/commands/attachments.js';

let server: Server;
let host: string;
let asked = 0;
const files = new Map<string, Buffer>();
let atOnce = 0;
let mostAtOnce = 0;
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
    } else if (request.url === '/endless') {
      response.writeHead(200, { 'content-length': 2 ** 40 }).write('x');
    } else if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': 100 }).write('half of it');
      setImmediate(() => response.destroy());
    } else if (request.url === '/slow') {
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      setTimeout(() => {
        atOnce -= 1;
        response.end('slowly');
      }, 30);
    } else response.end(files.get(request.url ?? '') ?? 'the file');
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
    identifier: 'attachment-host',
  });
  expect(asked).toBe(before);
});

test.each([
  ['a redirect', '/moved', 'attachment-unreachable'],
  ['what is not there', '/missing', 'attachment-unreachable'],
  ['what breaks off', '/cut', 'attachment-unreachable'],
  ['what does not end', '/huge', 'attachment-too-large'],
  ['what says that it is too large', '/endless', 'attachment-too-large'],
])('%s is refused', async (_name, path, identifier) => {
  await expect(fetchAttachment(`http://${host}${path}`, [host])).rejects.toMatchObject({
    identifier,
  });
});

test('a crowd is let in a few at a time, and everybody comes in', async () => {
  const all = Array.from({ length: 20 }, () => fetchAttachment(`http://${host}/slow`, [host]));
  for (const bytes of await Promise.all(all)) expect(Buffer.from(bytes).toString()).toBe('slowly');
  expect(mostAtOnce).toBeGreaterThan(1);
  expect(mostAtOnce).toBeLessThanOrEqual(4);
});

// --- pictures ---------------------------------------------------------------------------------

async function picture(kind: 'png' | 'jpeg' | 'webp' | 'gif', width = 48, height = 32) {
  const noise = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 37) % 251);
  return sharp(noise, { raw: { width, height, channels: 3 } })
    [kind]()
    .toBuffer();
}

/** As Discord describes a file; the size on the wire is what the server sends. */
function sent(path: string, bytes: Buffer, facts: Partial<SentFile> = {}): SentFile {
  files.set(path, bytes);
  return {
    url: `http://${host}${path}`,
    name: 'picture.png',
    size: bytes.length,
    contentType: 'image/png',
    width: null,
    height: null,
    ...facts,
  };
}

test.each(['png', 'jpeg', 'webp', 'gif'] as const)(
  'a %s comes as it is, with its size',
  async (kind) => {
    const bytes = await picture(kind);
    const { init, width, height } = await fetchInit(sent(`/${kind}`, bytes), null, [host]);
    expect(Buffer.from(init.image).equals(bytes)).toBe(true);
    expect([width, height]).toEqual([48, 32]);
    expect(init.mask).toBeUndefined();
  },
);

test('a photograph that was taken upright is as wide as it is shown', async () => {
  const bytes = await sharp(await picture('jpeg'))
    .withMetadata({ orientation: 6 })
    .toBuffer();
  const { width, height } = await fetchInit(sent('/turned', bytes), null, [host]);
  expect([width, height]).toEqual([32, 48]);
});

test('a mask comes beside its image', async () => {
  const [image, mask] = [await picture('png'), await picture('webp', 10, 10)];
  const { init } = await fetchInit(sent('/a', image), sent('/b', mask), [host]);
  expect(Buffer.from(init.mask ?? []).equals(mask)).toBe(true);
});

const cut = (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length * 0.8));

/** A PNG that declares a size and holds nothing of it. */
function bomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(57);
  header.write('\x89PNG\r\n\x1a\n', 0, 'latin1');
  header.writeUInt32BE(13, 8);
  header.write('IHDR', 12, 'latin1');
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  header.write('IEND', 49, 'latin1');
  return header;
}

test.each<[string, () => Promise<SentFile> | SentFile, string]>([
  ['a text by another name', () => sent('/text', Buffer.from('no picture')), 'bad-image'],
  ['an empty file', () => sent('/empty', Buffer.alloc(0)), 'bad-image'],
  [
    'an SVG',
    () => sent('/svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    'bad-image',
  ],
  ['a PNG that was cut off', async () => sent('/p', cut(await picture('png'))), 'bad-image'],
  ['a JPEG that was cut off', async () => sent('/j', cut(await picture('jpeg'))), 'bad-image'],
  ['a WebP that was cut off', async () => sent('/w', cut(await picture('webp'))), 'bad-image'],
  ['a PNG without pixels', () => sent('/nothing', bomb(0, 0)), 'bad-image'],
  ['a PNG of no height', () => sent('/flat', bomb(64, 0)), 'bad-image'],
  ['a bomb', () => sent('/bomb', bomb(60_000, 60_000)), 'image-too-large'],
])('%s is refused when it is here', async (_name, file, identifier) => {
  await expect(fetchInit(await file(), null, [host])).rejects.toMatchObject({ identifier });
  const whole = sent('/whole', await picture('png'));
  const asMask = fetchInit(whole, await file(), [host]);
  await expect(asMask).rejects.toMatchObject({ identifier, context: { what: 'mask' } });
});

test.each<[string, Partial<SentFile>, string]>([
  ['a video', { contentType: 'video/mp4', name: 'film.mp4' }, 'bad-image'],
  ['a file of no kind', { contentType: null, name: 'data' }, 'bad-image'],
  ['more than 25 MiB', { size: 26 * 1024 * 1024 }, 'attachment-too-large'],
  ['more pixels than are allowed', { width: 20_000, height: 20_000 }, 'image-too-large'],
])(
  '%s is refused by what Discord says of it, and not fetched',
  async (_name, facts, identifier) => {
    const before = asked;
    const good = sent('/good', await picture('png'));
    const bad = sent('/bad', await picture('png'), facts);
    await expect(fetchInit(bad, null, [host])).rejects.toMatchObject({ identifier });
    await expect(fetchInit(good, bad, [host])).rejects.toMatchObject({ identifier });
    expect(asked).toBe(before);
  },
);
