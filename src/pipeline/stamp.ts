// Whether a model directory is as it was: what the file system says of its files, without opening one.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Names, sizes, times and inodes of a directory's files and of those in its folders; it changes when
 * one of them does.
 * @returns undefined where files may lie deeper, or cannot be looked at
 */
export async function stampOf(root: string): Promise<string | undefined> {
  try {
    const inside = await Promise.all(
      (await readdir(root, { withFileTypes: true })).map(async (entry) => {
        const path = join(root, entry.name);
        // What begins with a dot is no part of a model: hub clients keep their records there.
        if (entry.name.startsWith('.')) return [];
        if (entry.isFile()) return [path];
        const files = await readdir(path, { withFileTypes: true });
        if (files.some((file) => file.isDirectory())) throw new Error(`${path} goes deeper`);
        return files.map(({ name }) => join(path, name));
      }),
    );
    const lines = await Promise.all(inside.flat().map(line));
    return lines.sort().join('\n');
  } catch {
    return undefined;
  }
}

async function line(path: string): Promise<string> {
  const { size, mtimeMs, ctimeMs, ino } = await stat(path);
  return `${path} ${size} ${mtimeMs} ${ctimeMs} ${ino}`;
}
