// What can go wrong with a database file, as sentences for the one who runs the bot.

import { UserError } from '../errors.js';

/** Primary result codes: https://www.sqlite.org/rescode.html */
const PERM = 3;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** @returns the sentence for a fault of the file or the disk; `error` itself for a bug */
export function storeFault(error: unknown, file: string): unknown {
  if (error instanceof UserError) return error;
  const code = (error as { errcode?: unknown } | null)?.errcode;
  // The low byte of an extended code is the primary one.
  switch (typeof code === 'number' ? code & 0xff : undefined) {
    case BUSY:
    case LOCKED:
      return inUse(file);
    case CORRUPT:
    case NOTADB:
      return damaged(file);
    case FULL:
      return new UserError(
        'store-full',
        `There is no space left on the disk for the database ${file}; free some, or lower YLEM_KEEP_GB.`,
        { file },
      );
    case IOERR:
      return new UserError(
        'store-io',
        `The disk failed while reading or writing the database ${file}.`,
        {
          file,
        },
      );
    case PERM:
    case READONLY:
    case CANTOPEN:
      return unwritable(file);
    default:
      return error;
  }
}

export function unwritable(path: string): UserError {
  return new UserError(
    'store-unwritable',
    `The data directory cannot be written (${path}); YLEM_DATA_DIR must name a directory that the bot may make and write.`,
    { path },
  );
}

export function damaged(file: string): UserError {
  return new UserError(
    'store-damaged',
    `The database ${file} is damaged or is no database; move it away (the bot then starts with an empty one) or put a backup in its place.`,
    { file },
  );
}

export function foreign(file: string): UserError {
  return new UserError(
    'store-foreign',
    `The database ${file} was made by another program; set YLEM_DATA_DIR to another directory.`,
    { file },
  );
}

export function newer(file: string, version: number, known: number): UserError {
  return new UserError(
    'store-newer',
    `The database ${file} was made by a newer Ylem (its version is ${version}, this one knows up to ${known}); update Ylem, or set YLEM_DATA_DIR to another directory.`,
    { file, version, known },
  );
}

/** Not a fault of the file, but of the wish: what it was to begin from has been removed. */
export function initGone(): UserError {
  return new UserError('init-gone', 'The init image of this picture is no longer kept.');
}

function inUse(file: string): UserError {
  return new UserError(
    'store-in-use',
    `The database ${file} is in use by another process; only one bot may run in a data directory.`,
    { file },
  );
}
