// The models that one bot offers: the one it was started with, and the sub-directories of another
// directory that are models. Found by their files alone; nothing is loaded here.

import { readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UserError } from '../errors.js';
import { describeModel, type ModelDescription } from '../pipeline/describe.js';

/** A model as its files describe it. */
export interface Entry {
  readonly description: ModelDescription;
  readonly isDefault: boolean;
}

/** ms after which the directory is looked at again when somebody asks */
const STALE = 5000;
/** Names in a sentence that says what there is. */
const MOST_NAMES = 25;

export class Catalogue {
  readonly #defaultDirectory: string;
  readonly #modelsDirectory: string | undefined;
  readonly #damaged: (problem: UserError) => void;
  /** sentences about damaged models that were told */
  readonly #told = new Set<string>();
  #entries: readonly Entry[] = [];
  #scannedAt = Number.NEGATIVE_INFINITY;
  #scan: Promise<readonly Entry[]> | undefined;

  /**
   * @param modelsDirectory may not exist; undefined: the default alone is offered
   * @param damaged told once of each fault that a model other than the default is found with
   */
  constructor(
    defaultDirectory: string,
    modelsDirectory: string | undefined,
    damaged: (problem: UserError) => void = () => {},
  ) {
    this.#defaultDirectory = defaultDirectory;
    this.#modelsDirectory = modelsDirectory;
    this.#damaged = damaged;
  }

  get defaultName(): string {
    return basename(this.#defaultDirectory);
  }

  /** As they were when last looked at, the default first, the rest by name. */
  get entries(): readonly Entry[] {
    if (performance.now() - this.#scannedAt > STALE) void this.refresh().catch(() => {});
    return this.#entries;
  }

  /** As they are now. */
  refresh(): Promise<readonly Entry[]> {
    this.#scan ??= this.#look().finally(() => {
      this.#scan = undefined;
    });
    return this.#scan;
  }

  /**
   * The model of a name as its files are now; without a name, the default.
   * @throws UserError 'model-unknown' that names those there are; for a damaged one what is wrong
   */
  async find(name: string | undefined): Promise<Entry> {
    const wanted = name ?? this.defaultName;
    const before = this.#named(wanted);
    if (before === undefined) await this.refresh();
    // Only this one is looked at again: it may have been mended, changed or removed meanwhile.
    const entry =
      before === undefined
        ? this.#named(wanted)
        : { ...before, description: await describeModel(before.description.directory) };
    // What is wrong with the default is for the engine to say, which everybody waits for anyway.
    if (entry === undefined) throw this.#unknown(wanted);
    if (!entry.isDefault && isGone(entry)) {
      await this.refresh();
      throw this.#unknown(wanted);
    }
    const [problem] = entry.description.problems;
    if (problem !== undefined && !entry.isDefault) throw unusable(entry.description.name, problem);
    return entry;
  }

  #named(name: string): Entry | undefined {
    const lower = name.toLowerCase();
    return (
      this.#entries.find(({ description }) => description.name === name) ??
      this.#entries.find(({ description }) => description.name.toLowerCase() === lower)
    );
  }

  #unknown(name: string): UserError {
    const names = this.#entries
      .filter((entry) => entry.isDefault || entry.description.problems.length === 0)
      .map(({ description }) => description.name);
    const shown = names.slice(0, MOST_NAMES).join(', ');
    const models = names.length > MOST_NAMES ? `${shown}, ...` : shown;
    return new UserError(
      'model-unknown',
      `There is no model "${name.slice(0, 100)}" here; there ${names.length === 1 ? 'is' : 'are'} ${models}.`,
      { name: name.slice(0, 100), models },
    );
  }

  #tell(problem: UserError): void {
    if (this.#told.has(problem.message)) return;
    this.#told.add(problem.message);
    this.#damaged(problem);
  }

  async #look(): Promise<readonly Entry[]> {
    const found: Entry[] = [
      { description: await describeModel(this.#defaultDirectory), isDefault: true },
    ];
    const taken = new Set([await real(this.#defaultDirectory)]);
    const names = new Set([this.defaultName]);
    for (const directory of await subdirectories(this.#modelsDirectory)) {
      const path = await real(directory);
      if (taken.has(path)) continue;
      taken.add(path);
      const description = await describeModel(directory);
      // A directory that is not meant to be a model is no news.
      const [problem] = description.problems;
      if (problem?.context.file === 'model_index.json' && description.parts.length === 0) continue;
      if (names.has(description.name)) continue; // the default goes by this name
      names.add(description.name);
      found.push({ description, isDefault: false });
      if (problem !== undefined) this.#tell(unusable(description.name, problem));
    }
    this.#entries = found;
    this.#scannedAt = performance.now();
    return found;
  }
}

function isGone({ description }: Entry): boolean {
  return description.problems[0]?.identifier === 'model-missing';
}

/** The sentence of a damaged model, with its name: people choose among several. */
export function unusable(name: string, problem: UserError): UserError {
  return new UserError('model-unusable', `The model "${name}" cannot be used: ${problem.message}`, {
    name,
    problem: problem.message,
  });
}

const real = (path: string): Promise<string> => realpath(path).catch(() => path);

/** Without those whose names begin with a dot: they are not finished, or not for us. */
async function subdirectories(directory: string | undefined): Promise<string[]> {
  if (directory === undefined) return [];
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => join(directory, name))
    .sort();
}
