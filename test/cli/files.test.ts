// Files that the command line writes: whole or not at all.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWhole } from '../../src/cli/files.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a file that is whole or not there', () => {
  it('may have a name as long as the file system takes', async () => {
    const name = `${'a'.repeat(251)}.png`;
    await writeWhole(join(folder, name), new Uint8Array([1, 2, 3]));
    expect(await readdir(folder)).toEqual([name]);
    expect([...(await readFile(join(folder, name)))]).toEqual([1, 2, 3]);
  });

  it('that cannot be written is told of as it was named, with the reason', async () => {
    const path = join(folder, 'none', 'a.png');
    await expect(writeWhole(path, new Uint8Array(3))).rejects.toMatchObject({
      identifier: 'out-unwritable',
      message: `"${path}" cannot be written (ENOENT).`,
    });
  });

  it('stays as it was where the new one cannot be put in its place', async () => {
    await writeFile(join(folder, 'file'), 'no folder');
    await expect(writeWhole(join(folder, 'file', 'a.png'), new Uint8Array(3))).rejects.toThrow();
    await expect(writeWhole(folder, new Uint8Array(3))).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['file']);
  });
});
