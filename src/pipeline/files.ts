// The small files of a model directory. Nothing in here loads onnxruntime.

import { readFile } from 'node:fs/promises';
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
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    if (optional) return undefined;
    throw new UserError('model-file-missing', `The model lacks ${name}.`, { file: name });
  }
  try {
    // Editors on Windows begin a file with a byte order mark, which JSON does not know.
    return parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new UserError('model-file-damaged', `The model's ${name} is no valid JSON.`, {
      file: name,
    });
  }
}
