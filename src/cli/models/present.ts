// What a pull finds in its place: the model as an earlier pull left it, and which of its files are
// still good. Those need not come again.

import { constants } from 'node:fs';
import { copyFile, link, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { readSource, type Source } from './directory.js';
import { diskError, hashOf, stored } from './download.js';
import type { RemoteFile } from './hub.js';
import type { Selection } from './selection.js';
import type { Transfers } from './transfers.js';

/**
 * What a directory of this name already is.
 * @throws UserError 'model-exists' for one that is not from this repository
 */
export async function present(
  directory: string,
  repository: string,
  name: string,
): Promise<Source | undefined> {
  if (!(await stat(directory).catch(() => undefined))) return undefined;
  const source = await readSource(directory);
  if (source?.repository === repository) return source;
  throw new UserError(
    'model-exists',
    `There already is a model ${name} that is not from ${repository}: choose another name with --name, or remove that one.`,
  );
}

/**
 * Paths in the model of the files that are what they were when they came, and that the folder of the
 * repository has still. Reads them whole: a damaged file mostly keeps its size.
 * @param offered what the folder has, by paths in the model
 * @throws the signal's reason
 */
export async function goodFiles(
  old: Source,
  directory: string,
  offered: ReadonlyMap<string, RemoteFile>,
  signal: AbortSignal,
  transfers: Transfers,
): Promise<Set<string>> {
  const good = new Set<string>();
  const hashes = new Set([...offered.values()].map(({ hash }) => hash.hex));
  const onBytes = (bytes: number) => transfers.checked(bytes);
  for (const [path, { size, hash }] of Object.entries(old.files)) {
    if (!hashes.has(hash.hex)) continue;
    transfers.begin(path, size, 0);
    const file = { path, size, hash };
    const found = await hashOf(join(directory, path), file, { signal, onBytes }).catch(() => {
      // A file that cannot be read is as good as lost.
      signal.throwIfAborted();
      return undefined;
    });
    if (found === hash.hex) good.add(path);
  }
  transfers.end();
  return good;
}

/** Whether all that is wanted is there: the same commit, the same folder of it, and every file good. */
export function isWhole(
  old: Source,
  good: ReadonlySet<string>,
  offered: ReadonlyMap<string, RemoteFile>,
  commit: string,
  { folder, first }: Selection,
): boolean {
  return (
    old.commit === commit &&
    old.folder === folder &&
    first.every(({ path, file }) => old.files[path]?.hash.hex === file.hash.hex) &&
    // The weights are among them: the same graphs have the same ones.
    Object.entries(old.files).every(
      ([path, { hash }]) => good.has(path) && offered.get(path)?.hash.hex === hash.hex,
    )
  );
}

/**
 * Puts good files into the store of a pull: as a hard link, or a copy where the file system has none.
 * @throws UserError 'disk-full' where a copy does not fit
 */
export async function takeOver(
  old: Source,
  good: ReadonlySet<string>,
  directory: string,
  store: string,
): Promise<void> {
  for (const path of good) {
    const { size, hash } = old.files[path]!;
    const from = join(directory, path);
    const target = stored(store, { path, size, hash });
    await link(from, target).catch(async ({ code }: NodeJS.ErrnoException) => {
      // Another process may have moved the model away since; its files then come from the hub.
      if (code === 'EEXIST' || code === 'ENOENT') return;
      await copyFile(from, target, constants.COPYFILE_FICLONE).catch((error) => {
        throw diskError(error, path);
      });
    });
  }
}
