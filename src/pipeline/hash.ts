// Which model this is, as A1111 says it: the first 10 hex digits of a sha256 over its weights. That
// is gigabytes, so it is done by a worker, when it is first asked for, and kept for the next start.

import { once } from 'node:events';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { compiledEntry } from '../entry.js';
import { object } from './json.js';
import { graphFiles } from './weights.js';

/** entries of the file that hashes are kept in; the oldest fall out */
const KEPT = 200;

/**
 * sha256 of a folder's model.onnx followed by the files that hold its weights, in the order of their
 * names; the first 10 hex digits.
 * @param folder a part of the model's directory, such as its unet
 * @param cache where hashes are kept, by path, size and time of change of the files
 * @param small bytes of files up to which a hash is not worth keeping
 * @throws UserError naming a file that is missing, damaged or outside; what reading the files throws
 */
export async function modelHash(
  folder: string,
  cache: string = cacheFile(),
  small = 64 << 20,
): Promise<string> {
  const files = await graphFiles(dirname(folder), `${basename(folder)}/model.onnx`);
  const large = files.reduce((sum, { size }) => sum + size, 0) > small;
  const key = files.map(({ path, size, mtimeMs }) => `${path}:${size}:${mtimeMs}`).join('\n');
  const known = large ? (await read(cache))[key] : undefined;
  if (typeof known === 'string') return known;
  const hash = await hashed(files.map(({ path }) => path));
  if (large) await keep(cache, key, hash);
  return hash;
}

async function hashed(files: readonly string[]): Promise<string> {
  const worker = new Worker(compiledEntry(import.meta.url, './hash-worker.js'), {
    workerData: files,
  });
  worker.unref();
  const [answer] = (await once(worker, 'message')) as [unknown];
  return String(answer).slice(0, 10);
}

/** Below the user's cache folder: model directories are not written into. */
function cacheFile(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return join(XDG_CACHE_HOME || LOCALAPPDATA || join(homedir(), '.cache'), 'ylem', 'hashes.json');
}

async function read(cache: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return object(JSON.parse(await readFile(cache, 'utf8')));
  } catch {
    return {}; // none yet, or not ours: hashes can be made again
  }
}

/** Best effort: without a cache the next start takes longer, and that is all. */
async function keep(cache: string, key: string, hash: string): Promise<void> {
  try {
    const entries = Object.entries(await read(cache)).filter(([other]) => other !== key);
    const kept = Object.fromEntries([...entries, [key, hash]].slice(-KEPT));
    await mkdir(dirname(cache), { recursive: true });
    const draft = `${cache}.${process.pid}`;
    await writeFile(draft, JSON.stringify(kept, undefined, 1));
    await rename(draft, cache);
  } catch {}
}
