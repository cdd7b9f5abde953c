// `ylem models pull`: a model from the hub into the models' directory. It is put together beside its
// place and moved there whole; what was fetched before a break is used by the next try.

import { constants } from 'node:fs';
import { access, mkdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Config } from '../../config.js';
import { UserError } from '../../errors.js';
import { readOnnxHeader } from '../../pipeline/onnx-header.js';
import { NotProtobuf } from '../../pipeline/protobuf.js';
import { sizeText } from '../style.js';
import { discard, isDirectory, type Source, sweep, unfinished } from './directory.js';
import { begun, diskError, fetchFile, stored } from './download.js';
import type { Hub, RemoteFile } from './hub.js';
import { takeLock } from './lock.js';
import { directoryName, type HubModel } from './names.js';
import { goodFiles, isWhole, present, takeOver } from './present.js';
import { offeredIn, selectFiles, type Wanted, type Wishes, weightsOf } from './selection.js';
import type { Transfers } from './transfers.js';
import { assemble, takeBack } from './tree.js';

/** Bytes that stay free on the disk, for everything else that is written there. */
const SPARE = 200e6;

export interface PullRequest extends Wishes {
  readonly model: HubModel;
  /** of the directory; absent: `owner--name` */
  readonly name?: string;
}

export interface Pulled {
  readonly name: string;
  readonly directory: string;
  readonly commit: string;
  readonly files: number;
  readonly bytes: number;
  /** false: all of it was there already, at this very commit */
  readonly changed: boolean;
}

/**
 * @throws UserError for whatever the user, the hub or the disk stands in the way with
 * @throws the signal's reason; what came is kept
 */
export async function pull(
  request: PullRequest,
  { modelsDirectory: models }: Config,
  hub: Hub,
  signal: AbortSignal,
  transfers: Transfers,
): Promise<Pulled> {
  const { model } = request;
  const { repository } = model;
  const name = request.name ?? directoryName(model);
  const directory = join(models, name);
  const old = await present(directory, repository, name);
  await writable(models);
  await sweep(models);
  transfers.say(`asking ${hub.host} for ${repository}`);
  const commit = await hub.commitOf(model);
  const listing = await hub.files(model, commit);
  const selection = await selectOrHint(request, listing, hub);
  const result = (files: readonly Wanted[], changed: boolean): Pulled => ({
    name,
    directory,
    commit,
    files: files.length,
    bytes: files.reduce((sum, { file }) => sum + file.size, 0),
    changed,
  });
  const offered = offeredIn(listing, selection.folder);
  const good = old && (await goodFiles(old, directory, offered, signal, transfers));
  if (old !== undefined && good && isWhole(old, good, offered, commit, selection)) {
    const files = Object.entries(old.files).map(([path, { size, hash }]) => ({
      path,
      file: { path, size, hash },
    }));
    return result(files, false);
  }
  const store = unfinished(models, name);
  await mkdir(store, { recursive: true }).catch((error) => {
    throw diskError(error, store);
  });
  const lock = await takeLock(join(store, 'lock'), repository);
  try {
    await takeBack(store);
    if (old !== undefined && good) await takeOver(old, good, directory, store);
    await enoughRoom(store, [...selection.first, ...selection.weights]);
    const source = { model, commit };
    const fetchAll = async (wanted: readonly Wanted[], after: readonly Wanted[]) => {
      let rest = [...wanted, ...after].reduce((sum, { file }) => sum + file.size, 0);
      for (const { file, path } of wanted) {
        rest -= file.size;
        transfers.begin(path, file.size, rest);
        await fetchFile(hub, source, file, store, transfers, signal);
        signal.throwIfAborted();
        transfers.done();
      }
    };
    await fetchAll(bySize(selection.first), selection.weights);
    // Only the graphs themselves say which files hold their weights.
    const weights = await weightFiles(
      repository,
      listing,
      selection.folder,
      selection.first,
      store,
    );
    await enoughRoom(store, weights);
    await fetchAll(bySize(weights), []);
    const wanted = [...selection.first, ...weights];
    const origin: Source = {
      hub: hub.url,
      repository,
      revision: model.revision,
      commit,
      folder: selection.folder,
      files: Object.fromEntries(
        wanted.map(({ path, file }) => [path, { size: file.size, hash: file.hash }]),
      ),
    };
    transfers.say('putting it together');
    const whole = await assemble(store, wanted, origin);
    if (await isDirectory(directory)) await discard(directory);
    await rename(whole, directory);
    lock.release();
    await rm(store, { recursive: true, force: true });
    return result(wanted, true);
  } finally {
    lock.release();
  }
}

async function writable(models: string): Promise<void> {
  try {
    await mkdir(models, { recursive: true });
    await access(models, constants.W_OK);
  } catch (error) {
    throw new UserError(
      'disk-refused',
      `Models are kept in ${models}, which cannot be written (${(error as NodeJS.ErrnoException).code}); YLEM_MODELS_DIR names another directory.`,
    );
  }
}

/** A repository without graphs may have them on a branch named onnx, as the first ones did. */
async function selectOrHint(request: PullRequest, listing: readonly RemoteFile[], hub: Hub) {
  const { repository, revision } = request.model;
  try {
    return selectFiles(repository, listing, request);
  } catch (error) {
    if (!(error instanceof UserError) || error.identifier !== 'hub-no-onnx') throw error;
    if (revision !== 'main') throw error;
    const branch = { repository, revision: 'onnx' };
    const there = await hub.commitOf(branch).then(
      () => true,
      () => false,
    );
    if (!there) throw error;
    throw new UserError(
      error.identifier,
      `${repository} has no ONNX graphs on its main branch, but it has a branch "onnx": pull ${repository}@onnx.`,
    );
  }
}

/** @throws UserError 'disk-full' before anything is fetched in vain */
async function enoughRoom(store: string, wanted: readonly Wanted[]): Promise<void> {
  let [missing, copies] = [0, 0];
  const contents = new Set<string>();
  for (const { file } of wanted) {
    // A further file of the same content is copied from the first.
    if (contents.has(file.hash.hex)) copies += file.size;
    else missing += file.size - (await begun(store, file));
    contents.add(file.hash.hex);
  }
  const { bavail, bsize } = await statfs(store);
  const free = bavail * bsize;
  const needed = missing + copies;
  // What only has to be put together is not kept from it.
  if (needed + (missing === 0 ? 0 : SPARE) <= free) return;
  throw new UserError(
    'disk-full',
    `The model needs ${sizeText(needed)} more, but ${dirname(store)} has ${sizeText(free)} free (${sizeText(SPARE)} are to stay so).`,
    { needed, free },
  );
}

const bySize = (wanted: readonly Wanted[]) =>
  [...wanted].sort((a, b) => a.file.size - b.file.size || (a.path < b.path ? -1 : 1));

async function weightFiles(
  repository: string,
  listing: readonly RemoteFile[],
  folder: string,
  first: readonly Wanted[],
  store: string,
): Promise<Wanted[]> {
  const found = new Map<string, Wanted>();
  for (const { path, file } of first) {
    if (!path.endsWith('.onnx')) continue;
    for (const [location, bytes] of await externalOf(path, stored(store, file))) {
      const wanted = weightsOf(repository, listing, folder, path, location);
      if (wanted.file.size < bytes) {
        throw new UserError(
          'hub-wrong-bytes',
          `${repository} is damaged: ${wanted.path} has ${wanted.file.size} bytes, but ${path} needs ${bytes} of it.`,
        );
      }
      found.set(wanted.path, wanted);
    }
  }
  return [...found.values()];
}

async function externalOf(path: string, file: string): Promise<ReadonlyMap<string, number>> {
  try {
    return (await readOnnxHeader(file)).external;
  } catch (error) {
    if (!(error instanceof NotProtobuf)) throw error;
    throw new UserError('hub-wrong-bytes', `The model's ${path} ${error.message}.`);
  }
}

/** A path as it is shortest to type from here. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') || short.length >= path.length ? path : short;
}
