// Attachments: their bytes (on disk or in memory), their facts, and their signed, expiring addresses.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pictureKind } from '../image-size.js';
import { snowflake } from './snowflake.js';

export interface StoredFile {
  readonly id: string;
  readonly filename: string;
  readonly size: number;
  readonly content_type: string;
  readonly width?: number;
  readonly height?: number;
  /** alt text */
  readonly description?: string;
}

export interface IncomingFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** An address is good for a day, as at Discord, from the last full hour on: it does not change with
 * every answer, so that a page need not load a picture again. */
const LIFETIME_S = 24 * 3600;
const ROUND_S = 3600;
/** Replaced files that are still served, so that a page which is just loading one is not let down. */
const GRACE = 32;

const TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  txt: 'text/plain; charset=utf-8',
  json: 'application/json; charset=utf-8',
};

export class FileStore {
  readonly #directory: string | undefined;
  readonly #memory = new Map<string, Buffer>();
  readonly #facts = new Map<string, StoredFile>();
  readonly #removed: string[] = [];
  readonly #writes = new Set<Promise<void>>();
  #secret: Buffer;
  /** `http://127.0.0.1:PORT`, set once the server listens */
  origin = '';

  /** @param directory absent: bytes stay in memory */
  constructor(directory: string | undefined, secret: Buffer) {
    this.#directory = directory;
    this.#secret = secret;
  }

  /** Takes over what an earlier run left: knows `files` again and deletes every other one. */
  async restore(files: readonly StoredFile[], secret: Buffer): Promise<void> {
    this.#secret = secret;
    for (const file of files) this.#facts.set(file.id, file);
    if (this.#directory === undefined) return;
    await mkdir(this.#directory, { recursive: true });
    for (const name of await readdir(this.#directory)) {
      if (!this.#facts.has(name)) await rm(join(this.#directory, name), { force: true });
    }
  }

  async put(file: IncomingFile, overrides: { filename?: string; description?: string } = {}) {
    const { bytes } = file;
    const picture = pictureKind(bytes);
    const filename = safeName(overrides.filename ?? file.name);
    const stored: StoredFile = {
      id: snowflake(),
      filename,
      size: bytes.length,
      content_type:
        picture?.type ?? TYPES[filename.split('.').pop() ?? ''] ?? 'application/octet-stream',
      ...(picture ? { width: picture.width, height: picture.height } : {}),
      ...(overrides.description ? { description: overrides.description } : {}),
    };
    this.#facts.set(stored.id, stored);
    // Readable at once; the disk may take its time.
    this.#memory.set(stored.id, bytes);
    if (this.#directory !== undefined) this.#write(stored.id, bytes, this.#directory);
    return stored;
  }

  #write(id: string, bytes: Buffer, directory: string): void {
    const done = mkdir(directory, { recursive: true })
      .then(() => writeFile(join(directory, id), bytes))
      .then(() => {
        this.#memory.delete(id);
        // Replaced while it was being written.
        if (!this.#facts.has(id)) return rm(join(directory, id), { force: true });
        return undefined;
      })
      // A full disk: the bytes stay in memory.
      .catch(() => undefined);
    this.#writes.add(done);
    done.finally(() => this.#writes.delete(done));
  }

  facts(id: string): StoredFile | undefined {
    return this.#facts.get(id);
  }

  async read(id: string): Promise<Buffer | undefined> {
    const held = this.#memory.get(id);
    if (held) return held;
    if (!this.#facts.has(id) || this.#directory === undefined) return undefined;
    return readFile(join(this.#directory, id)).catch(() => undefined);
  }

  /** Forgets a file after some more have been removed. */
  remove(id: string): void {
    this.#removed.push(id);
    while (this.#removed.length > GRACE) {
      const gone = this.#removed.shift() as string;
      this.#facts.delete(gone);
      this.#memory.delete(gone);
      if (this.#directory !== undefined) {
        rm(join(this.#directory, gone), { force: true }).catch(() => undefined);
      }
    }
  }

  /** Everything is on the disk when this resolves. */
  async flush(): Promise<void> {
    await Promise.all(this.#writes);
  }

  /** Signed address: `ex` and `is` are hexadecimal seconds, `hm` an HMAC over path and times. */
  url(channelId: string, file: StoredFile, now: number = Date.now()): string {
    const issued = Math.floor(now / 1000 / ROUND_S) * ROUND_S;
    const path = `/attachments/${channelId}/${file.id}/${encodeURIComponent(file.filename)}`;
    const is = issued.toString(16);
    const ex = (issued + LIFETIME_S).toString(16);
    return `${this.origin}${path}?ex=${ex}&is=${is}&hm=${this.#sign(path, ex, is)}&`;
  }

  /** True when an address was signed here and has not expired. */
  verify(path: string, query: URLSearchParams, now: number = Date.now()): boolean {
    const ex = query.get('ex') ?? '';
    const is = query.get('is') ?? '';
    const given = Buffer.from(query.get('hm') ?? '');
    const wanted = Buffer.from(this.#sign(path, ex, is));
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return false;
    return Number.parseInt(ex, 16) * 1000 > now;
  }

  #sign(path: string, ex: string, is: string): string {
    return createHmac('sha256', this.#secret).update(`${path}\n${ex}\n${is}`).digest('hex');
  }
}

/** What Discord makes of a file name: spaces become underscores, the rest of the ASCII oddities go. */
function safeName(name: string): string {
  const safe = name
    .normalize('NFKC')
    .replaceAll(/[\s]+/g, '_')
    .replaceAll(/[^\p{L}\p{N}._-]/gu, '');
  return safe.replace(/^\.+/, '') === '' ? 'unknown' : safe.slice(-260);
}
