// Where a graph's weights lie: in files beside it, by names that the graph itself gives. Models come
// from strangers, so a name that leads elsewhere is refused before anything is opened.

import { join } from 'node:path';
import { UserError } from '../errors.js';
import { statIfThere } from './files.js';
import { staysInside } from './inside.js';
import { type OnnxHeader, readOnnxHeader } from './onnx-header.js';
import { NotProtobuf } from './protobuf.js';

/** A graph, or a file with weights of one. */
export interface GraphFile {
  readonly path: string;
  /** bytes */
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * A graph and the files that hold its weights, these in the order of their names.
 * @param graph relative to `root`, the model's directory
 * @throws UserError naming the file that is missing, damaged or outside
 */
export async function graphFiles(root: string, graph: string): Promise<GraphFile[]> {
  const path = join(root, graph);
  const found = await statIfThere(root, path);
  if (found === undefined)
    throw new UserError('model-file-missing', `The model lacks ${graph}.`, { file: graph });
  const { external } = await headerOf(path, graph);
  const files: GraphFile[] = [{ path, size: found.size, mtimeMs: found.mtimeMs }];
  for (const location of [...external.keys()].sort())
    files.push(await weightFile(root, graph, location));
  return files;
}

async function headerOf(path: string, graph: string): Promise<OnnxHeader> {
  try {
    return await readOnnxHeader(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!(error instanceof NotProtobuf) && code === undefined) throw error;
    const what = error instanceof NotProtobuf ? error.message : `cannot be read (${code})`;
    throw new UserError('model-file-damaged', `The model's ${graph} ${what}.`, { file: graph });
  }
}

/**
 * A file with weights. Links are followed, wherever they lead: whoever put the directory in place
 * made them (hub caches are made of links), while the name is the word of whoever made the graph.
 * @param graph relative to `root`, the model's directory
 * @param location as the graph names it, relative to the graph's own folder
 * @throws UserError naming the graph
 */
export async function weightFile(
  root: string,
  graph: string,
  location: string,
): Promise<GraphFile> {
  const inside = location.replace(/^\.\//, '');
  if (!staysInside(inside)) {
    throw new UserError(
      'model-file-damaged',
      `The weights of the model's ${graph} would lie outside the model's directory, in ${JSON.stringify(location).slice(0, 120)}.`,
      { file: graph },
    );
  }
  const file = `${graph.replace(/[^/\\]*$/, '')}${inside}`;
  const path = join(root, file);
  const found = await statIfThere(root, path);
  if (found === undefined) {
    throw new UserError(
      'model-file-missing',
      `The model lacks ${file}, which holds the weights of ${graph}.`,
      { file },
    );
  }
  // A pipe or a device has no end.
  if (!found.isFile()) {
    throw new UserError(
      'model-file-damaged',
      `The model's ${file}, which holds the weights of ${graph}, is no regular file.`,
      { file },
    );
  }
  return { path, size: found.size, mtimeMs: found.mtimeMs };
}
