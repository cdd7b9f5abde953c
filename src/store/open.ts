// Opens the database file, brings it up to date, and refuses what is not a database of this bot.

import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { damaged, foreign, newer, storeFault, unwritable } from './faults.js';
import { APPLICATION_ID, MIGRATIONS } from './schema.js';
import { type Database, loadSqlite } from './sqlite.js';

/** The file's name in the data directory. */
export const FILE_NAME = 'ylem.sqlite';

/** ms to wait for a process that is just ending: a restart may overlap. */
const LOCK_PATIENCE = 2000;
/** Files up to this many bytes are checked as a whole when they are opened; it takes some 20 ms. */
const CHECKED_WHOLE = 16 * 1024 * 1024;

/** @throws UserError about the directory or the file */
export async function openDatabase(
  directory: string,
): Promise<{ database: Database; file: string }> {
  const file = join(directory, FILE_NAME);
  try {
    // What people asked for and the tokens of their interactions are nobody else's business.
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch {
    throw unwritable(directory);
  }
  const { DatabaseSync } = await loadSqlite();
  let database: Database | undefined;
  try {
    database = new DatabaseSync(file, {
      timeout: LOCK_PATIENCE,
      enableForeignKeyConstraints: true,
    });
    prepare(database, file);
    keepPrivate(file);
    return { database, file };
  } catch (error) {
    if (database?.isOpen) database.close();
    throw storeFault(error, file);
  }
}

/** Also where it was made with wider rights, by an earlier version or in a directory that was there. */
function keepPrivate(file: string): void {
  for (const ending of ['', '-wal', '-shm']) {
    try {
      chmodSync(`${file}${ending}`, 0o600);
    } catch {
      // It is not there, or somebody else's, who has then said who may read it.
    }
  }
}

function prepare(database: Database, file: string): void {
  // One process per file: two bots on it would answer everything twice. The lock dies with its
  // process, however that ends.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  const version = numberOf(database, 'user_version');
  const isNew = version === 0 && numberOf(database, 'schema_version') === 0;
  if (!isNew && numberOf(database, 'application_id') !== APPLICATION_ID) throw foreign(file);
  if (version > MIGRATIONS.length) throw newer(file, version, MIGRATIONS.length);
  // Has to stand before the first table: it decides the layout of the file.
  if (isNew) database.exec('PRAGMA auto_vacuum = INCREMENTAL');
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -8000;
  `);
  if (!isNew && statSync(file).size <= CHECKED_WHOLE) {
    const verdict = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (verdict.quick_check !== 'ok') throw damaged(file);
  }
  database.exec('BEGIN IMMEDIATE');
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
  database.exec(
    `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`,
  );
}

function numberOf(database: Database, pragma: string): number {
  const row = database.prepare(`PRAGMA ${pragma}`).get() as Record<string, number>;
  return Number(row[pragma]);
}
