// Keeps the world on the disk: one JSON file, replaced as a whole shortly after each change.

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { startAfter } from './snowflake.js';
import type { Snapshot, World } from './world.js';

/** ms that changes are gathered before they are written. */
const GATHER = 500;

export class Keeper {
  readonly #world: World;
  readonly #directory: string;
  readonly #off: () => void;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;
  /** digest of what is known to be on the disk, or was taken from there */
  #kept: string;

  constructor(world: World, directory: string) {
    this.#world = world;
    this.#directory = directory;
    this.#kept = digest(JSON.stringify(world.snapshot()));
    this.#off = world.events.on(({ type }) => {
      // Neither is kept.
      if (type !== 'request' && type !== 'bot') this.#soon();
    });
  }

  /**
   * Fills a world with what an earlier run left in the directory. A damaged file counts as none.
   * @throws UserError when there is a history that cannot be read: it would be written over
   */
  static async restore(world: World, directory: string): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, 'state.json');
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new UserError('sandbox-history', `The history ${file} cannot be read (${error.code}).`);
    });
    if (text === undefined) return;
    const snapshot = parse(text);
    if (snapshot === undefined) {
      await rename(file, join(directory, 'state.damaged.json'));
      return;
    }
    await world.restore(snapshot);
    const all = [...snapshot.messages, ...snapshot.interactions, ...snapshot.uploads];
    for (const { id } of all) startAfter(id);
  }

  /** Writes what has changed, and only then: what is on the disk may be another's by now. */
  async close(): Promise<void> {
    this.#off();
    if (this.#timer) clearTimeout(this.#timer);
    this.#write();
    await this.#writing;
    await this.#world.files.flush();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#write();
    }, GATHER);
  }

  #write(): void {
    this.#writing = this.#writing.then(async () => {
      const file = join(this.#directory, 'state.json');
      try {
        const text = JSON.stringify(this.#world.snapshot());
        const now = digest(text);
        if (now === this.#kept) return;
        await writeFile(`${file}.tmp`, text);
        await rename(`${file}.tmp`, file);
        this.#kept = now;
        this.#failed = false;
      } catch (error) {
        // Said once: the sandbox goes on without its memory.
        if (!this.#failed)
          process.emitWarning(`The sandbox cannot write ${file}: ${String(error)}`);
        this.#failed = true;
      }
    });
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Undefined for what is no history of this version: cut off, or of another shape. */
function parse(text: string): Snapshot | undefined {
  try {
    const value = JSON.parse(text) as Partial<Snapshot> | null;
    const { version, secret, messages, commands, interactions, people, uploads } = value ?? {};
    const lists = [messages, commands, interactions, people, uploads];
    const whole = version === 1 && typeof secret === 'string' && lists.every(Array.isArray);
    return whole ? (value as Snapshot) : undefined;
  } catch {
    return undefined;
  }
}
