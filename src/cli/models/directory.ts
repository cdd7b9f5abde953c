// The directory that models are kept in: finding them, their origin, and what an unfinished pull
// leaves there. Names that begin with a dot are never models.

import { randomUUID } from 'node:crypto';
import { lstat, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import * as v from 'valibot';
import { type Config, embeddedModel } from '../../config.js';
import { UserError } from '../../errors.js';
import { badArgument } from '../arguments.js';
import { isLostWith, isSameEntry, isSameTarget } from './entries.js';
import { takeLock } from './lock.js';
import { checkedName } from './names.js';

/** Written into a pulled model: where each of its files came from. */
export const SOURCE_FILE = 'source.json';

const SOURCE = v.object({
  hub: v.string(),
  repository: v.string(),
  revision: v.string(),
  commit: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)),
  folder: v.string(),
  files: v.record(
    v.string(),
    v.object({
      size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
      hash: v.object({ kind: v.picklist(['sha256', 'git-sha1']), hex: v.string() }),
    }),
  ),
});

export type Source = v.InferOutput<typeof SOURCE>;

/** Where a pulled model came from; undefined for one that was not pulled. */
export async function readSource(directory: string): Promise<Source | undefined> {
  try {
    const found = JSON.parse(await readFile(join(directory, SOURCE_FILE), 'utf8'));
    return v.is(SOURCE, found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** The unfinished pull of a model, kept so that it can be taken up again. */
export const unfinished = (models: string, name: string): string =>
  join(models, `.partial-${name}`);

export interface Place {
  /** the directory's name */
  readonly name: string;
  readonly directory: string;
  readonly embedded: boolean;
  /** the model that is used where none is named */
  readonly isDefault: boolean;
}

/** Every directory that should be a model: the embedded one, the default one, those in `models/`. */
export async function places(config: Config): Promise<Place[]> {
  const entries = await readdir(config.modelsDirectory, { withFileTypes: true }).catch(() => []);
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = join(config.modelsDirectory, entry.name);
    if (entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(path))))
      names.push(path);
  }
  const found = [embeddedModel()];
  for (const path of names.sort())
    if (!(await isSameEntry(path, embeddedModel()))) found.push(path);
  const usual = config.modelDirectory;
  const ofDefault =
    (await firstOf(found, (path) => isSameEntry(path, usual))) ??
    (await firstOf(found, (path) => isSameTarget(path, usual)));
  if (ofDefault === undefined) found.push(usual);
  return found.map((directory) => ({
    name: basename(directory),
    directory,
    embedded: directory === embeddedModel(),
    isDefault: directory === (ofDefault ?? usual),
  }));
}

async function firstOf<T>(
  values: readonly T[],
  fits: (value: T) => Promise<boolean>,
): Promise<T | undefined> {
  for (const value of values) if (await fits(value)) return value;
  return undefined;
}

/** Names of the models that a pull has begun and not ended. */
export async function unfinishedPulls(config: Config): Promise<string[]> {
  const names = await readdir(config.modelsDirectory).catch(() => []);
  return names.flatMap((name) => (name.startsWith('.partial-') ? [name.slice(9)] : [])).sort();
}

/**
 * The model that a user means: a name in the models' directory (`owner/name` too), else a path.
 * @throws UserError 'bad-argument' that lists the names
 */
export async function placeOf(config: Config, text: string): Promise<Place> {
  const all = await places(config);
  const bare = text.replace(/[\\/]+$/, '');
  const named = all.find(({ name }) => name === bare || name === bare.replace('/', '--'));
  if (named !== undefined) return named;
  const directory = resolve(text);
  const known = all.find((place) => place.directory === directory);
  if (known !== undefined) return known;
  if (await isDirectory(directory)) {
    return {
      name: basename(directory),
      directory,
      embedded: await isSameTarget(directory, embeddedModel()),
      isDefault: await isSameTarget(directory, config.modelDirectory),
    };
  }
  const names = all.map(({ name }) => name).join(', ');
  throw badArgument(`There is no model "${text}": neither a directory nor one of ${names}.`);
}

/**
 * Removes a model of the models' directory, and what an unfinished pull of it has left.
 * @returns bytes that were freed
 * @throws UserError for models that do not belong to the models' directory
 */
export async function removeModel(config: Config, text: string): Promise<number> {
  const models = config.modelsDirectory;
  await sweep(models);
  const isPath = isAbsolute(text) && (await isSameTarget(dirname(resolve(text)), models));
  const inside = isPath ? basename(text) : text;
  const name = checkedName(inside.replace(/[\\/]+$/, ''));
  const directory = join(models, name);
  if (await isLostWith(embeddedModel(), directory)) {
    throw new UserError('model-embedded', `${name} comes with Ylem and is not removed.`);
  }
  if (await isLostWith(config.modelDirectory, directory)) {
    throw new UserError(
      'model-in-use',
      `${name} is the model that YLEM_MODEL names: change that setting first.`,
    );
  }
  const store = unfinished(models, name);
  const found = [directory, store];
  if (await isDirectory(store)) (await takeLock(join(store, 'lock'), name)).release();
  let freed = 0;
  let removed = 0;
  for (const path of found) {
    const entry = await lstat(path).catch(() => undefined);
    if (entry === undefined) continue;
    if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
    // A link is unlinked: what it leads to is somebody else's.
    freed += entry.isSymbolicLink() ? 0 : await diskUse(path);
    await discard(path);
    removed++;
  }
  if (removed === 0) {
    const names = (await places(config)).filter(({ embedded }) => !embedded);
    const list = names.map((place) => place.name).join(', ') || 'none that can be removed';
    throw badArgument(
      `There is no model "${text}" in ${models} (there: ${list}; ${basename(embeddedModel())} comes with Ylem and stays).`,
    );
  }
  return freed;
}

const ASIDE = /^\.removed-[0-9a-f-]{36}$/;

/**
 * Removes what earlier removals that were cut off have left. One that is still at work in another
 * process is helped, not harmed: neither minds that a file is already gone.
 */
export async function sweep(models: string): Promise<void> {
  for (const name of await readdir(models).catch(() => [])) {
    if (!ASIDE.test(name)) continue;
    // It is in nobody's way: what cannot be removed now is no reason to fail.
    await rm(join(models, name), { recursive: true, force: true }).catch(() => {});
  }
}

/** Takes a directory out of sight at once, then removes it: nobody sees half of it. */
export async function discard(path: string): Promise<void> {
  const aside = join(dirname(path), `.removed-${randomUUID()}`);
  await rename(path, aside);
  await rm(aside, { recursive: true, force: true });
}

/** Bytes of all files below a directory; links are not followed. */
export async function diskUse(directory: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) total += await diskUse(path);
    else total += (await lstat(path).catch(() => undefined))?.size ?? 0;
  }
  return total;
}

export const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
