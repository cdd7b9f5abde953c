// Which model this is: a sha256 over its weights, kept so that it is made once.

import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { modelHash } from '../../src/pipeline/hash.js';

const UNET = fileURLToPath(new URL('../fixtures/models/tiny-sd/unet', import.meta.url));

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-hash-'));
  cache = join(folder, 'cache', 'hashes.json');
  await cp(UNET, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

async function expected(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of ['model.onnx', 'model.onnx_data'])
    hash.update(await readFile(join(folder, file)));
  return hash.digest('hex').slice(0, 10);
}

it('is the sha256 of the graph and of the weights beside it', async () => {
  expect(await modelHash(folder, cache)).toBe(await expected());
});

it('is made once for files of one size and time, and anew when they change', async () => {
  const data = join(folder, 'model.onnx_data');
  const mtime = new Date('2026-01-02T03:04:05Z');
  await utimes(data, mtime, mtime);
  const first = await modelHash(folder, cache, 0);
  const bytes = await readFile(data);
  bytes[0] = bytes[0]! ^ 1;
  await writeFile(data, bytes);
  await utimes(data, mtime, mtime);
  expect(await modelHash(folder, cache, 0)).toBe(first);
  await utimes(data, mtime, new Date(mtime.getTime() + 5000));
  const second = await modelHash(folder, cache, 0);
  expect(second).not.toBe(first);
  expect(second).toBe(await expected());
});

it('is made where it cannot be kept, and where what was kept is damaged', async () => {
  await writeFile(join(folder, 'cache'), 'a file, no folder');
  expect(await modelHash(folder, cache, 0)).toBe(await expected());
  const damaged = join(folder, 'damaged.json');
  await writeFile(damaged, '[1, ');
  expect(await modelHash(folder, damaged, 0)).toBe(await expected());
});
