// What a model's small files are when they are not there, not readable, or not what they should be.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIfThere, readJson, statIfThere } from '../../src/pipeline/files.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ylem-'));
});
afterEach(() => rm(root, { recursive: true }));

describe.each([true, false])('a JSON file, optional: %s', (optional) => {
  const read = (...way: string[]) => readJson(root, join(root, ...way), optional);

  it('that is there is read', async () => {
    await writeFile(join(root, 'a.json'), '\uFEFF{"a": 1}');
    expect(await read('a.json')).toEqual({ a: 1 });
  });

  it('that is not there, or whose folder is a file, is missing', async () => {
    await writeFile(join(root, 'file'), '');
    for (const way of [['a.json'], ['folder', 'a.json'], ['file', 'a.json']]) {
      if (optional) expect(await read(...way)).toBeUndefined();
      else
        await expect(read(...way)).rejects.toMatchObject({
          identifier: 'model-file-missing',
          message: `The model lacks ${way.join('/')}.`,
        });
    }
  });

  it.each([
    ['EISDIR', () => mkdir(join(root, 'a.json'))],
    ['ELOOP', () => symlink('a.json', join(root, 'a.json'))],
  ])('that cannot be read is damaged, with the reason: %s', async (code, spoil) => {
    await spoil();
    await expect(read('a.json')).rejects.toMatchObject({
      identifier: 'model-file-damaged',
      message: `The model's a.json cannot be read (${code}).`,
      context: { file: 'a.json' },
    });
  });
});

it('a file is only absent where the system says so', async () => {
  const path = join(root, 'a');
  expect(await readIfThere(root, path)).toBeUndefined();
  expect(await statIfThere(root, path)).toBeUndefined();
  await writeFile(path, 'text');
  expect((await readIfThere(root, path))?.toString()).toBe('text');
  expect((await statIfThere(root, path))?.size).toBe(4);
  await rm(path);
  await symlink('a', path);
  for (const asked of [readIfThere(root, path), statIfThere(root, path)])
    await expect(asked).rejects.toMatchObject({ identifier: 'model-file-damaged' });
});
