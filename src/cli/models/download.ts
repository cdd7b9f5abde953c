// One file from the hub into the store of an unfinished pull: taken up where it was cut off, and
// counted as there only once its hash is the one that the hub lists.

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { CutOff, type Hub, NoRanges, type RemoteFile, WrongBytes } from './hub.js';
import type { HubModel } from './names.js';

/** Connections that end without having brought a byte, one after another, before it is given up. */
const STRIKES = 6;
/** Times that a whole file may come with another hash than listed. */
const WRONG = 2;

/** How a download goes on. */
export interface Meter {
  /** @param bytes that are there now, 0 to the file's size */
  at(bytes: number): void;
  /** @param bytes that were there and are read again, to see if they are good */
  checked(bytes: number): void;
}

/** What is to be minded while a file is read, which can take a minute. */
export interface Reading {
  readonly signal?: AbortSignal;
  /** @param bytes that have been read */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Where a file lies in the store. It is named by its content, so that what was begun at one
 * revision is never glued to another one, and what two revisions share is fetched once.
 */
export function stored(store: string, { hash }: RemoteFile): string {
  return join(store, hash.hex);
}

/** Whether the store has the whole file; bytes of a part that is there count as begun. */
export async function begun(store: string, file: RemoteFile): Promise<number> {
  const size = async (path: string) => (await stat(path).catch(() => undefined))?.size;
  if ((await size(stored(store, file))) === file.size) return file.size;
  return Math.min(file.size, (await size(`${stored(store, file)}.part`)) ?? 0);
}

/**
 * Fetches a file unless the store has it.
 * @throws UserError where the hub refuses, sends wrong bytes twice, or cannot be reached
 * @throws the signal's reason; what came stays as a part
 */
export async function fetchFile(
  hub: Hub,
  source: { readonly model: HubModel; readonly commit: string },
  file: RemoteFile,
  store: string,
  meter: Meter,
  signal: AbortSignal,
): Promise<void> {
  const whole = stored(store, file);
  const reading: Reading = { signal, onBytes: (bytes) => meter.checked(bytes) };
  // It may be from a try before a loss of power, and then of the right size but empty.
  if ((await hashOf(whole, file, reading)) === file.hash.hex) {
    meter.at(file.size);
    return;
  }
  const path = `${whole}.part`;
  for (let wrong = 0; ; ) {
    const part = await Part.open(path, file, reading);
    try {
      await fill(hub, source, file, part, meter);
      if (part.digest() === file.hash.hex) {
        await part.close();
        await rename(path, whole);
        return;
      }
    } finally {
      await part.close();
    }
    await rm(path, { force: true });
    wrong++;
    if (wrong === WRONG) {
      throw new UserError(
        'hub-wrong-bytes',
        `${file.path} came with another ${file.hash.kind === 'sha256' ? 'SHA-256' : 'hash'} than ${hub.host} lists, ${WRONG} times: it was not kept.`,
        { file: file.path },
      );
    }
  }
}

async function fill(
  hub: Hub,
  { model, commit }: { readonly model: HubModel; readonly commit: string },
  file: RemoteFile,
  part: Part,
  meter: Meter,
): Promise<void> {
  let strikes = 0;
  meter.at(part.size);
  while (part.size < file.size) {
    const before = part.size;
    try {
      for await (const chunk of hub.bytes(model, commit, file, part.size)) {
        if (part.size + chunk.length > file.size)
          throw new WrongBytes(`${file.path} has more than ${file.size} bytes`);
        await part.write(chunk);
        meter.at(part.size);
      }
      if (part.size < file.size) throw new CutOff('the connection ended too early');
    } catch (error) {
      if (error instanceof NoRanges || (error instanceof WrongBytes && before > 0)) {
        // What is there cannot be gone on from: the whole file has to come anew.
        await part.empty();
        if (++strikes >= 2) throw error;
        continue;
      }
      if (!(error instanceof CutOff)) throw error;
      strikes = part.size > before ? 0 : strikes + 1;
      if (strikes >= STRIKES) {
        throw new UserError(
          'hub-out-of-reach',
          `${hub.host} breaks off ${file.path} again and again (${error.message}); the same command goes on from here.`,
        );
      }
      if (strikes > 0) await hub.pause(250 * 2 ** strikes);
    }
  }
}

/** The bytes of a file that have come so far, and their hash. */
class Part {
  #handle: FileHandle;
  #hash: Hash;
  readonly #file: RemoteFile;
  #size = 0;
  #open = true;

  private constructor(handle: FileHandle, file: RemoteFile) {
    this.#handle = handle;
    this.#file = file;
    this.#hash = begin(file);
  }

  static async open(path: string, file: RemoteFile, reading: Reading): Promise<Part> {
    const handle = await open(path, 'a+', 0o666).catch((error) => {
      throw diskError(error, file.path);
    });
    const part = new Part(handle, file);
    try {
      const { size } = await handle.stat();
      if (size > file.size) await part.empty();
      else if (size > 0) {
        await readInto(part.#hash, path, reading);
        part.#size = size;
      }
    } catch (error) {
      await part.close();
      throw error;
    }
    return part;
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; )
        at += (await this.#handle.write(chunk, at, chunk.length - at)).bytesWritten;
    } catch (error) {
      throw diskError(error, this.#file.path);
    }
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  async empty(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = begin(this.#file);
    this.#size = 0;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

/** The hash of a file, in the kind that the hub lists for it. */
function begin({ hash, size }: RemoteFile): Hash {
  return hash.kind === 'sha256'
    ? createHash('sha256')
    : createHash('sha1').update(`blob ${size}\0`);
}

/**
 * The hash of a file that is there, hexadecimal; undefined where its size is another one.
 * @throws the signal's reason
 */
export async function hashOf(
  path: string,
  file: RemoteFile,
  reading: Reading = {},
): Promise<string | undefined> {
  if ((await stat(path).catch(() => undefined))?.size !== file.size) return undefined;
  const hash = begin(file);
  await readInto(hash, path, reading);
  return hash.digest('hex');
}

async function readInto(hash: Hash, path: string, { signal, onBytes }: Reading): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      onBytes?.(bytes);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** A full disk or a limit is the user's to mend; all else is told as it is. */
export function diskError(error: unknown, what: string): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    const why = code === 'EFBIG' ? 'too large for this file system' : 'more than the disk holds';
    return new UserError('disk-full', `${what} is ${why}; what has come is kept for another try.`);
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new UserError('disk-refused', `${what} cannot be written here (${code}).`);
  }
  return error;
}
