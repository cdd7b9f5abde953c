// The files of a model directory. Nothing in here loads onnxruntime.

import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { UserError } from '../errors.js';

/**
 * A JSON file of the model's directory; undefined when it is optional and not there.
 * @throws UserError naming the file
 */
export async function readJson(
  root: string,
  path: string,
  optional = false,
  parse: (text: string) => unknown = JSON.parse,
): Promise<unknown> {
  const name = relative(root, path);
  const bytes = await ifThere(root, path, readFile(path));
  if (bytes === undefined) {
    if (optional) return undefined;
    throw new UserError('model-file-missing', `The model lacks ${name}.`, { file: name });
  }
  try {
    // Editors on Windows begin a file with a byte order mark, which JSON does not know.
    return parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    throw new UserError('model-file-damaged', `The model's ${name} is no valid JSON.`, {
      file: name,
    });
  }
}

/** The bytes of a file; undefined when it is not there. @throws UserError when it cannot be read */
export const readIfThere = (root: string, path: string): Promise<Buffer | undefined> =>
  ifThere(root, path, readFile(path));

/** What a path is; undefined when it is not there. @throws UserError when that cannot be found out */
export const statIfThere = (root: string, path: string): Promise<Stats | undefined> =>
  ifThere(root, path, stat(path));

/**
 * What asking the system for a file gives; undefined when there is no such file. One that cannot be
 * read (no permission, a failing disk, too many open files) is not one that the model goes without.
 */
async function ifThere<T>(root: string, path: string, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === undefined) throw error;
    const file = relative(root, path);
    throw new UserError('model-file-damaged', `The model's ${file} cannot be read (${code}).`, {
      file,
    });
  }
}
