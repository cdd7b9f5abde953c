// `ylem models pull` onto a disk without hard links, as exFAT is: no file is there twice, and what
// came is not lost when the disk fills up on the way.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Hub } from '../../../src/cli/models/hub.js';
import { pull } from '../../../src/cli/models/pull.js';
import { createTransfers } from '../../../src/cli/models/transfers.js';
import { loadConfig } from '../../../src/config.js';
import { filesOf, HubStandIn } from '../../support/hub.js';

const TINY = fileURLToPath(new URL('../../fixtures/models/tiny-sd', import.meta.url));

/** What the disk refuses beside links. */
const disk = vi.hoisted(() => ({ copied: [] as string[], moves: Infinity }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const refuse = (code: string) => Promise.reject(Object.assign(new Error(code), { code }));
  return {
    ...real,
    link: () => refuse('EPERM'),
    copyFile: (from: string, to: string, mode: number) => {
      disk.copied.push(to);
      return real.copyFile(from, to, mode);
    },
    // Into the tree: elsewhere a move takes no room.
    rename: (from: string, to: string) =>
      /[\\/]tree[\\/]/.test(to) && disk.moves-- <= 0 ? refuse('ENOSPC') : real.rename(from, to),
  };
});

let hub: HubStandIn;
let models: string;
beforeEach(async () => {
  Object.assign(disk, { copied: [], moves: Infinity });
  hub = await HubStandIn.start();
  models = await mkdtemp(join(tmpdir(), 'ylem-links-'));
});
afterEach(async () => {
  await hub.close();
  await rm(models, { recursive: true });
});

function pulled() {
  const env = { HF_ENDPOINT: hub.url, YLEM_MODELS_DIR: models };
  const { signal } = new AbortController();
  const model = { repository: 'somebody/tiny', revision: 'main' };
  const transfers = createTransfers({ write: () => true });
  const request = { model, safetyChecker: false };
  return pull(request, loadConfig(env), new Hub(env, signal), signal, transfers);
}

/** As a comparison of large arrays, element by element, would take seconds. */
async function expectWhole(files: Record<string, Uint8Array>): Promise<void> {
  const { 'source.json': _, ...found } = await filesOf(join(models, 'somebody--tiny'));
  expect(Object.keys(found).sort()).toEqual(Object.keys(files).sort());
  for (const [path, content] of Object.entries(files))
    expect(Buffer.compare(found[path]!, content), path).toBe(0);
  expect(await readdir(models)).toEqual(['somebody--tiny']);
}

it('each file is moved to its place, and copied only where two have one content', async () => {
  const files = await filesOf(TINY);
  const text = new TextEncoder().encode('one text');
  Object.assign(files, { 'README.md': text, LICENSE: text, 'vae_encoder/config.json': text });
  hub.publish('somebody/tiny', files);
  expect(await pulled()).toMatchObject({ changed: true });
  await expectWhole(files);
  expect(disk.copied).toHaveLength(2);
});

it('a disk that fills up on the way is one sentence, and the next pull fetches nothing again', async () => {
  const files = await filesOf(TINY);
  hub.publish('somebody/tiny', files);
  disk.moves = 3;
  await expect(pulled()).rejects.toMatchObject({ identifier: 'disk-full' });
  expect(await readdir(models)).toEqual(['.partial-somebody--tiny']);
  hub.seen.length = 0;
  disk.moves = Infinity;
  expect(await pulled()).toMatchObject({ changed: true });
  expect(hub.fetched()).toEqual([]);
  await expectWhole(files);
});
