// The hub's patience: what one try suffers is not held against the next one, and what has no end is
// not waited for.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Hub } from '../../../src/cli/models/hub.js';
import { HubStandIn } from '../../support/hub.js';

/** ms; a try that is slower on a busy machine is one more stall */
const PATIENCE = 400;
const MODEL = { repository: 'somebody/tiny', revision: 'main' };
/** large enough to lie behind the redirect */
const WEIGHTS = new Uint8Array(10_000).map((_, i) => i % 251);

let hub: HubStandIn;
let commit: string;
beforeEach(async () => {
  hub = await HubStandIn.start();
  commit = hub.publish('somebody/tiny', { 'unet/model.onnx': WEIGHTS });
});
afterEach(() => hub.close());

async function download(endpoint: string): Promise<Uint8Array> {
  const { signal } = new AbortController();
  const own = new Hub({ HF_ENDPOINT: endpoint }, signal, undefined, PATIENCE);
  const [file] = await own.files(MODEL, commit);
  const chunks: Uint8Array[] = [];
  for await (const chunk of own.bytes(MODEL, commit, file!, 0)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('a download', () => {
  it('outlives a pause that is longer than a stall may be', async () => {
    hub.faults.push({ path: /resolve/, times: 1, kind: { status: 429, retryAfter: 1 } });
    expect(Buffer.compare(await download(hub.url), WEIGHTS)).toBe(0);
  });

  it('outlives tries that are never answered', async () => {
    let silent = 2;
    /** before the hub: says nothing to the first requests for a file, and sends on the others */
    const front: Server = createServer((request, response) => {
      if (request.url?.includes('/resolve/') && silent-- > 0) return;
      response.writeHead(307, { location: `${hub.url}${request.url}` }).end();
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    try {
      const { port } = front.address() as AddressInfo;
      const got = await download(`http://127.0.0.1:${port}`);
      expect(Buffer.compare(got, WEIGHTS)).toBe(0);
      expect(silent).toBeLessThanOrEqual(-1);
    } finally {
      front.closeAllConnections();
      front.close();
    }
  });
});

describe('a listing', () => {
  let asked = 0;
  let server: Server;
  /** What the files come to on a server that answers every request alike. */
  async function listingOf(headers: Record<string, string>, body: string | Uint8Array) {
    asked = 0;
    server = createServer((request, response) => {
      asked++;
      const next = `<http://${request.headers.host}/api/next?cursor=${asked}>; rel="next"`;
      response.writeHead(200, { 'content-type': 'application/json', link: next, ...headers });
      response.end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { signal } = new AbortController();
    return new Hub({ HF_ENDPOINT: `http://127.0.0.1:${port}` }, signal).files(MODEL, commit);
  }
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('of folders without end is not read on', async () => {
    const folder = { type: 'directory', oid: 'a'.repeat(40), size: 0, path: 'folder' };
    const page = JSON.stringify(Array.from({ length: 1000 }, () => folder));
    await expect(listingOf({}, page)).rejects.toMatchObject({
      identifier: 'hub-too-many-files',
      message: expect.stringMatching(/^somebody\/tiny has more than 20000 files and folders: /),
    });
    expect(asked).toBe(21);
  });

  it('of empty pages without end is not read on', async () => {
    await expect(listingOf({}, '[]')).rejects.toMatchObject({
      identifier: 'hub-too-many-files',
      message: expect.stringMatching(/^somebody\/tiny has more than 1000 pages of files: /),
    });
    expect(asked).toBe(1000);
  });

  it('that unpacks to more than any hub has to say is not read on', async () => {
    const spaces = ' '.repeat(1 << 20);
    const parts = ['[', ...Array.from({ length: 65 }, () => spaces), ']'];
    const bomb = Buffer.concat(parts.map((part) => gzipSync(part)));
    expect(bomb.length).toBeLessThan(1 << 20);
    await expect(listingOf({ 'content-encoding': 'gzip', link: '' }, bomb)).rejects.toMatchObject({
      identifier: 'hub-out-of-reach',
      message: expect.stringMatching(/does not answer like a Hugging Face hub/),
    });
    expect(asked).toBe(1);
  });
});
