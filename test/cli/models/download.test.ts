// Reading what is there already, which for gigabytes takes a while: it is shown and can be stopped.

import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchFile, hashOf } from '../../../src/cli/models/download.js';
import { Hub, type RemoteFile } from '../../../src/cli/models/hub.js';
import { HubStandIn } from '../../support/hub.js';

const MODEL = { repository: 'somebody/tiny', revision: 'main' };
const CONTENT = new Uint8Array(6 << 20).map((_, i) => i % 251);
const FILE: RemoteFile = {
  path: 'unet/model.onnx_data',
  size: CONTENT.length,
  hash: { kind: 'sha256', hex: createHash('sha256').update(CONTENT).digest('hex') },
};

let folder: string;
let hub: HubStandIn;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-download-'));
  hub = await HubStandIn.start();
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

/** Fetches the file; told of the first bytes that are read again, it stops where it should. */
async function fetched(stopsWhenReading: boolean): Promise<number[]> {
  const commit = hub.publish('somebody/tiny', { [FILE.path]: CONTENT });
  const stop = new AbortController();
  const read: number[] = [];
  const meter = {
    at: () => {},
    checked: (bytes: number) => {
      read.push(bytes);
      if (stopsWhenReading) stop.abort(new Error('stopped'));
    },
  };
  const own = new Hub({ HF_ENDPOINT: hub.url }, stop.signal);
  await fetchFile(own, { model: MODEL, commit }, FILE, folder, meter, stop.signal).catch(
    (error: unknown) => {
      if (error !== stop.signal.reason) throw error;
    },
  );
  return read;
}

describe.each(['', '.part'])('a file%s that an earlier try has left in the store', (ending) => {
  /** all of it, or a piece */
  const there = ending === '' ? CONTENT : CONTENT.subarray(0, 4 << 20);
  beforeEach(() => writeFile(join(folder, FILE.hash.hex + ending), there));

  it('is read with a word on how far', async () => {
    const read = await fetched(false);
    expect(read.length).toBeGreaterThan(1);
    expect(read.at(-1)).toBe(there.length);
    expect(hub.fetched()).toEqual(ending === '' ? [] : [FILE.path]);
    const whole = await readFile(join(folder, FILE.hash.hex));
    expect(Buffer.compare(whole, CONTENT)).toBe(0);
  });

  it('is read no further once it is told to stop, and stays', async () => {
    const read = await fetched(true);
    expect(read).toHaveLength(1);
    expect(read[0]).toBeLessThan(there.length);
    expect(hub.fetched()).toEqual([]);
    const left = await readFile(join(folder, FILE.hash.hex + ending));
    expect(Buffer.compare(left, there)).toBe(0);
  });
});

it('the hash of a file is not waited for once it is told to stop', async () => {
  const path = join(folder, 'file');
  await writeFile(path, CONTENT);
  expect(await hashOf(path, FILE)).toBe(FILE.hash.hex);
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(hashOf(path, FILE, { signal })).rejects.toThrow('stopped');
});
