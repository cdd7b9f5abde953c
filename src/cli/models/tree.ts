// The model's tree, put together from the store of a pull beside the place where it is to stand.

import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSource, SOURCE_FILE, type Source } from './directory.js';
import { diskError, stored } from './download.js';
import type { Wanted } from './selection.js';

const treeOf = (store: string): string => join(store, 'tree');

/**
 * The files are hard links to the store's, so that a pull which is cut off here has lost nothing.
 * Where the file system has no links they are moved out of the store, for want of room to have each
 * of them twice; `takeBack` undoes that.
 * @returns the tree's directory
 * @throws UserError 'disk-full' or 'disk-refused'
 */
export async function assemble(
  store: string,
  wanted: readonly Wanted[],
  origin: Source,
): Promise<string> {
  const tree = treeOf(store);
  const source = join(tree, SOURCE_FILE);
  try {
    await mkdir(tree);
    // Before anything is moved: it says which files of the store those are.
    await writeFile(source, `${JSON.stringify(origin, undefined, 2)}\n`);
    // Files of one content stay files of their own: who edits one later does not mean the others.
    const first = new Map([...wanted].reverse().map((each) => [each.file.hash.hex, each]));
    const further = wanted.filter((each) => first.get(each.file.hash.hex) !== each);
    const put = async ({ path, file }: Wanted, by: typeof copy) => {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await by(stored(store, file), join(tree, path));
    };
    for (const each of further) await put(each, copy);
    for (const each of first.values()) await put(each, linkOrMove);
    // All at once, so that the file system writes its journal once and not for each file. A loss of
    // power may then cost the pull, but never leaves a model in place that is not whole.
    const files = wanted.map(({ path }) => join(tree, path));
    await Promise.all([source, ...files].map(toDisk));
    return tree;
  } catch (error) {
    throw diskError(error, origin.repository);
  }
}

/** Puts files that an assembly moved out of the store back into it, and removes the tree. */
export async function takeBack(store: string): Promise<void> {
  const tree = treeOf(store);
  const left = await readSource(tree);
  for (const [path, { size, hash }] of Object.entries(left?.files ?? {})) {
    const place = stored(store, { path, size, hash });
    if (await stat(place).catch(() => undefined)) continue;
    // What is in neither place comes from the hub again.
    await rename(join(tree, path), place).catch(() => {});
  }
  await rm(tree, { recursive: true, force: true });
}

const copy = (from: string, to: string): Promise<void> =>
  copyFile(from, to, constants.COPYFILE_FICLONE);

/** File systems without links refuse them with several codes: the move shows whether it was that. */
const linkOrMove = (from: string, to: string): Promise<void> =>
  link(from, to).catch(() => rename(from, to));

async function toDisk(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
