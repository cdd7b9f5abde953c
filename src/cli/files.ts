// Files that are either whole or not there.

import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.js';

/**
 * Writes beside the target and renames, so that nobody ever reads half a file.
 * @throws UserError 'out-unwritable', such as for a full disk
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  // Without the target's name in it: that one may be as long as the file system takes.
  const unfinished = join(dirname(path), `.${randomUUID()}`);
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError('out-unwritable', `"${path}" cannot be written (${code}).`, { path, code });
  }
}
