// Two pulls of one model exclude each other. The lock is SQLite's on an empty database: the system
// lets go of it when its process ends, however that happens, so that none is ever left over.

import { stat } from 'node:fs/promises';
import { UserError } from '../../errors.js';
import { loadSqlite } from '../../store/sqlite.js';

export interface Lock {
  /** may be called again, without effect */
  release(): void;
}

/**
 * @param path a file in a directory that is there; made if it is not
 * @throws UserError 'pull-running' where another process holds it
 */
export async function takeLock(path: string, what: string): Promise<Lock> {
  const { DatabaseSync } = await loadSqlite();
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
    // The holder before may just have removed the directory: then this lock is on nothing.
    await stat(path);
    let held = true;
    return {
      release() {
        if (held) database.close();
        held = false;
      },
    };
  } catch (error) {
    database.close();
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (gone || /locked|busy/i.test(error instanceof Error ? error.message : '')) {
      throw new UserError('pull-running', `${what} is being pulled by another process.`);
    }
    throw error;
  }
}
