// The SQLite library: Node's own where it is settled (24 and newer), else the same API as a package.

import type { DatabaseSyncInstance, SqliteModule } from '@photostructure/sqlite';

export type Database = DatabaseSyncInstance;

/** The first Node whose `node:sqlite` is used. */
const BUILT_IN_SINCE = 24;

/** @param version such as '20.19.0' */
export async function loadSqlite(
  version: string = process.versions.node,
): Promise<Pick<SqliteModule, 'DatabaseSync'>> {
  if (Number.parseInt(version, 10) >= BUILT_IN_SINCE) {
    try {
      // Not known to the type declarations of the oldest Node; the package declares the same API.
      return (await quietly(() => import('node:sqlite' as string))) as Pick<
        SqliteModule,
        'DatabaseSync'
      >;
    } catch (error) {
      // A Node that was built without it.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error;
    }
  }
  return import('@photostructure/sqlite');
}

/** Without the warning that Node gives once when its SQLite is loaded. */
async function quietly<T>(load: () => Promise<T>): Promise<T> {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return await load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
