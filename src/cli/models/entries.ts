// Whether two paths lead to one thing: through links, in other spellings on a disk that takes upper
// and lower case for one. The file system's own numbers say so, not the letters of a path.

import { lstat, stat } from 'node:fs/promises';

/** Whether two paths are one entry of one directory. A link is another one than what it leads to. */
export const isSameEntry = (a: string, b: string): Promise<boolean> => isOne(a, b, entryAt);

/** Whether two paths lead to one file or directory in the end. */
export const isSameTarget = (a: string, b: string): Promise<boolean> => isOne(a, b, targetOf);

/** Whether what a path leads to would be gone with an entry. A link can go: what it leads to stays. */
export async function isLostWith(path: string, entry: string): Promise<boolean> {
  if (await isSameEntry(path, entry)) return true;
  const id = await entryAt(entry);
  return id !== undefined && id === (await targetOf(path));
}

async function isOne(a: string, b: string, idOf: typeof entryAt): Promise<boolean> {
  if (a === b) return true;
  const id = await idOf(a);
  return id !== undefined && id === (await idOf(b));
}

/** undefined where there is nothing */
const entryAt = (path: string): Promise<string | undefined> =>
  lstat(path, { bigint: true }).then(
    (entry) => numbers(entry, path),
    () => undefined,
  );

const targetOf = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    (entry) => numbers(entry, path),
    () => undefined,
  );

/** Some network shares give no numbers: there only the path itself is known. */
const numbers = ({ dev, ino }: { dev: bigint; ino: bigint }, path: string): string =>
  ino === 0n ? path : `${dev}:${ino}`;
