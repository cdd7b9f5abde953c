// Node, the disk, the database, the native libraries and the memory, as the bot needs them.

import { constants } from 'node:fs';
import { access, mkdir, readFile, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { UserError } from '../../errors.js';
import { libraryFolder } from '../../pipeline/cuda-install.js';
import { storeFault } from '../../store/faults.js';
import { FILE_NAME } from '../../store/open.js';
import { APPLICATION_ID, MIGRATIONS } from '../../store/schema.js';
import { loadSqlite } from '../../store/sqlite.js';
import { machineMemory } from '../models/memory.js';
import { sizeText } from '../style.js';
import type { ImagesTrial, ThreadsTrial } from './trials.js';
import { runTrial, TrialFailed } from './try.js';
import type { Finding } from './types.js';

/** ms for a library to load and do a little */
const PATIENCE = 60_000;
/** bytes on the disk below which the bot soon stands still, and below which it is worth a word */
const NO_DISK = 100e6;
const LITTLE_DISK = 2e9;

/** @param version of Node, such as '20.19.0'; package.json's `engines` says the same */
export function nodeFinding(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const good = major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  return good
    ? { name: 'node', mark: 'ok', text: `${version} on ${process.platform}/${process.arch}` }
    : {
        name: 'node',
        mark: 'fail',
        text: `${version}; Ylem needs 20.19 or newer, 22.12 or newer, or 24 and newer`,
      };
}

/** The data directory: there or to be made, writable, with room. */
export async function diskFinding(directory: string): Promise<Finding> {
  const name = 'data';
  const fail = (text: string): Finding => ({ name, mark: 'fail', text });
  const existing = await nearest(directory);
  try {
    if (!(await stat(existing)).isDirectory())
      return fail(`${existing} is a file; YLEM_DATA_DIR must name a directory`);
    await access(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return fail(`${directory} cannot be written (${code}); YLEM_DATA_DIR names another one`);
  }
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  const room = `${sizeText(free)} free`;
  const state = existing === directory ? 'is writable' : 'will be made';
  if (free < NO_DISK) return fail(`${directory}: only ${room}`);
  return free < LITTLE_DISK
    ? {
        name,
        mark: 'warn',
        text: `${directory} ${state}, but only ${room} (YLEM_KEEP_GB bounds what is kept)`,
      }
    : { name, mark: 'ok', text: `${directory} ${state}, ${room}` };
}

/** The directory itself or the nearest above it that is there. */
async function nearest(directory: string): Promise<string> {
  for (let path = directory; ; path = dirname(path)) {
    if (
      await stat(path).then(
        () => true,
        () => false,
      )
    )
      return path;
    if (dirname(path) === path) return path;
  }
}

/** What `databaseFinding` says of one that a running bot holds. */
const IN_USE = `${FILE_NAME} is in use: a bot is running on it`;

export const isInUse = ({ text }: Finding): boolean => text === IN_USE;

/** SQLite writes where the data is, and a database that is there is one of this bot's. */
export async function databaseFinding(directory: string): Promise<Finding> {
  const name = 'database';
  const file = join(directory, FILE_NAME);
  try {
    const version = await tryDatabase(directory);
    const entry = await stat(file).catch(() => undefined);
    if (entry === undefined)
      return { name, mark: 'ok', text: `SQLite ${version} works; no ${FILE_NAME} yet` };
    const verdict = await lookInto(file);
    return (
      verdict ?? {
        name,
        mark: 'ok',
        text: `${FILE_NAME}, ${sizeText(entry.size)}, SQLite ${version}`,
      }
    );
  } catch (error) {
    const told = storeFault(error, file);
    const text = told instanceof UserError ? told.message : `SQLite does not work: ${lineOf(told)}`;
    return { name, mark: 'fail', text };
  }
}

/** Writes and reads back in a database of its own beside the bot's. @returns SQLite's version */
async function tryDatabase(directory: string): Promise<string> {
  const { DatabaseSync } = await loadSqlite();
  const made = !(await stat(directory).then(
    () => true,
    () => false,
  ));
  if (made) await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `.doctor-${process.pid}.sqlite`);
  try {
    const database = new DatabaseSync(file);
    try {
      database.exec(
        'PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER) STRICT; INSERT INTO t VALUES (42)',
      );
      const row = database.prepare('SELECT x, sqlite_version() AS version FROM t').get() as
        | { x: number; version: string }
        | undefined;
      if (row?.x !== 42) throw new Error('what was written is not read back');
      return row.version;
    } finally {
      database.close();
    }
  } finally {
    for (const ending of ['', '-wal', '-shm']) await rm(`${file}${ending}`, { force: true });
    // It was not there before: the bot makes it when it starts. What is not empty stays.
    if (made) await rmdir(directory).catch(() => {});
  }
}

/** What stands against the database that is there; undefined for a sound one. It is not changed. */
async function lookInto(file: string): Promise<Finding | undefined> {
  const { DatabaseSync } = await loadSqlite();
  const name = 'database';
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const number = (pragma: string) =>
      Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
    const version = number('user_version');
    if (number('application_id') !== APPLICATION_ID)
      return { name, mark: 'fail', text: `${file} is a database of another program` };
    if (version > MIGRATIONS.length) {
      const text = `${file} was written by a newer version of Ylem (${version}; this one knows ${MIGRATIONS.length})`;
      return { name, mark: 'fail', text };
    }
    return undefined;
  } catch (error) {
    const told = storeFault(error, file);
    if (told instanceof UserError && told.identifier === 'store-in-use')
      return { name, mark: 'ok', text: IN_USE };
    throw error;
  } finally {
    database.close();
  }
}

/** onnxruntime loads at all, and how many threads it is to use. */
export async function inferenceFinding(configured: number | undefined): Promise<Finding> {
  const name = 'inference';
  const version = await versionOf(join(libraryFolder(), '..', '..', '..', '..', 'package.json'));
  try {
    const { threads } = await runTrial<ThreadsTrial>({ kind: 'threads' }, PATIENCE);
    const cores = availableParallelism();
    const measured = threads === 1 && cores > 1 ? 'more were not faster' : 'measured';
    const use =
      configured === undefined
        ? `${threads} of ${cores} ${cores === 1 ? 'thread' : 'threads'} (${measured})`
        : `${configured} of ${cores} threads (YLEM_THREADS)`;
    return { name, mark: 'ok', text: `onnxruntime-node ${version}, ${use} on the CPU` };
  } catch (error) {
    return {
      name,
      mark: 'fail',
      text: `onnxruntime-node ${version} does not work: ${trialText(error)}`,
    };
  }
}

export async function imagesFinding(): Promise<Finding> {
  const name = 'images';
  try {
    const { sharp, vips } = await runTrial<ImagesTrial>({ kind: 'images' }, PATIENCE);
    return {
      name,
      mark: 'ok',
      text: `sharp ${sharp} with libvips ${vips} writes PNG, WebP, JPEG and GIF`,
    };
  } catch (error) {
    return { name, mark: 'fail', text: `sharp does not work: ${trialText(error)}` };
  }
}

/** @param needed bytes of the model that is loaded first; undefined where it is not known */
export function memoryFinding(needed: number | undefined, onCpu: boolean): Finding {
  const { total, free } = machineMemory();
  const text = `${sizeText(free)} of ${sizeText(total)} free`;
  const name = 'memory';
  if (needed === undefined) return { name, mark: 'ok', text };
  const takes = `the model takes about ${sizeText(needed)}`;
  if (!onCpu) return { name, mark: 'ok', text: `${text}; ${takes}, most of it on the GPU` };
  if (needed > total) return { name, mark: 'fail', text: `${text}, but ${takes}` };
  return { name, mark: needed > free ? 'warn' : 'ok', text: `${text}; ${takes}` };
}

async function versionOf(file: string): Promise<string> {
  try {
    return String((JSON.parse(await readFile(file, 'utf8')) as { version?: unknown }).version);
  } catch {
    return '';
  }
}

/** What a child that failed has said, in one line. */
export function trialText(error: unknown): string {
  if (!(error instanceof TrialFailed)) return lineOf(error);
  const said = error.output.split('\n').find((line) => /error/i.test(line));
  const glibc = /GLIBC_|ld-linux|musl/.test(`${error.message}${error.output}`)
    ? ' (its libraries need glibc 2.28 or newer; Alpine has musl instead)'
    : '';
  return `${error.message}${said === undefined ? '' : `: ${said.trim().slice(0, 200)}`}${glibc}`;
}

const lineOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 300);
