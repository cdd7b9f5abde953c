// ONNX sessions: opened with the first provider that works, fed by what their graphs say they want.

import { access } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { UserError } from '../errors.js';
import { fromHalf, toHalf } from './fp16.js';
import {
  AcceleratorLost,
  kindOf,
  memoryOf,
  providerOptions,
  runFailure,
  said,
} from './providers.js';
import type { FloatTensor } from './types.js';
import { graphFiles } from './weights.js';

export { readJson } from './files.js';

export interface SessionOptions {
  readonly provider: string;
  /** threads within an operator */
  readonly threads: number;
  /** the same of the VAE's graphs; absent: as the others */
  readonly vaeThreads?: number;
  /** every graph that was opened with these options is put in here, to be released if loading fails */
  readonly opened?: Graph[];
  /** what the runs of these graphs take is added up in here */
  readonly meter?: Meter;
}

/** Time that graphs take, and nothing else. */
export interface Meter {
  /** ms within `session.run` */
  ms: number;
}

export interface GraphInput {
  readonly type: string;
  /** sizes, or names of free dimensions */
  readonly shape: readonly (number | string)[];
}

/** One graph, with what it wants and gives. */
export class Graph {
  readonly session: InferenceSession;
  readonly provider: string;
  /** its file, relative to the model's directory */
  readonly name: string;
  readonly inputs: ReadonlyMap<string, GraphInput>;
  readonly outputs: ReadonlyMap<string, GraphInput>;
  readonly #meter: Meter;

  constructor(session: InferenceSession, provider: string, name: string, meter: Meter) {
    this.session = session;
    this.provider = provider;
    this.name = name;
    this.#meter = meter;
    this.inputs = metadata(session.inputMetadata);
    this.outputs = metadata(session.outputMetadata);
  }

  /**
   * A tensor in the type that the input of this name has.
   * @throws UserError naming the graph's file when it has no such input, or of a type unheard of
   */
  feed(name: string, data: Float32Array | readonly number[], dims: readonly number[]): Tensor {
    const type = this.inputs.get(name)?.type;
    switch (type) {
      case 'float32':
        return new Tensor('float32', float32(data), dims);
      case 'float16':
        return halfTensor(toHalf(float32(data)), dims);
      case 'int64':
        return new Tensor(
          'int64',
          BigInt64Array.from(data as ArrayLike<number> & Iterable<number>, integer),
          dims,
        );
      case 'int32':
        return new Tensor('int32', Int32Array.from(data as Iterable<number>, Math.trunc), dims);
      default:
        throw new UserError(
          'model-graph-mismatch',
          type === undefined
            ? `The model's ${this.name} has no input ${name}: it is another graph than belongs there.`
            : `The model's ${this.name} takes ${type} for ${name}, which is not supported.`,
          { file: this.name },
        );
    }
  }

  /**
   * @throws UserError 'out-of-memory' when the tensors do not fit, 'model-graph-mismatch' when the
   * graph declares its inputs otherwise
   * @throws AcceleratorLost when no further call can succeed in this process
   */
  async run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
    const begun = performance.now();
    try {
      return (await this.session.run(feeds)) as Record<string, Tensor>;
    } catch (error) {
      throw runFailure(this.provider, error, this.name);
    } finally {
      this.#meter.ms += performance.now() - begun;
    }
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/**
 * A float16 tensor of bits. Where there is a Float16Array (Node 24), `Tensor` makes one of the bits,
 * which onnxruntime-node 1.30's native part takes for an empty array.
 */
export function halfTensor(bits: Uint16Array, dims: readonly number[]): Tensor {
  const tensor = new Tensor('float16', bits, dims);
  return Object.defineProperty(tensor, 'data', { value: bits });
}

/** Not copied: a run reads its inputs before it ends, and nobody writes into them meanwhile. */
const float32 = (data: Float32Array | readonly number[]): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data);

const integer = (value: number): bigint => BigInt(Math.trunc(value));

function metadata(list: readonly InferenceSession.ValueMetadata[]): Map<string, GraphInput> {
  return new Map(
    list.flatMap((item) =>
      item.isTensor ? [[item.name, { type: item.type, shape: item.shape }]] : [],
    ),
  );
}

/** The values of an output as float32. Each run gives new ones, which nobody else has. */
export function floats(tensor: Tensor | undefined, name: string): FloatTensor {
  if (tensor === undefined) throw new Error(`the graph gave no ${name}`);
  const { data, type, dims } = tensor;
  if (type === 'float32') return { data: data as Float32Array, dims: [...dims] };
  if (type !== 'float16') throw new Error(`the graph gave ${type} for ${name}`);
  const raw = data as unknown as ArrayBufferView & { length: number };
  // Newer Node versions hand out a Float16Array, older ones the bits.
  if (raw instanceof Uint16Array) return { data: fromHalf(raw), dims: [...dims] };
  return { data: Float32Array.from(raw as unknown as ArrayLike<number>), dims: [...dims] };
}

/**
 * Opens a graph.
 * @throws UserError naming the file, relative to the model's directory, when it is missing or damaged,
 *   or keeps its weights outside
 */
export async function openGraph(
  root: string,
  path: string,
  options: SessionOptions,
): Promise<Graph> {
  const name = relative(root, path);
  await graphFiles(root, name); // before anything of it is opened
  try {
    return opened(await InferenceSession.create(path, sessionOptions(options)), options, name);
  } catch (error) {
    const kind = kindOf(error);
    if (kind === 'lost') throw new AcceleratorLost(options.provider, error);
    if (kind === 'memory') {
      throw new UserError(
        'model-too-large',
        `The model's ${name} does not fit into ${memoryOf(options.provider)}.`,
        { file: name, provider: options.provider },
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    if (options.provider !== 'cpu' && !/protobuf|parse|external|No such file|size/i.test(reason))
      throw error;
    throw await damaged(root, path, reason);
  }
}

/**
 * Opens a graph that is in memory.
 * @param name what it is called in sentences
 * @param folder where its weights lie, if they are not in memory with it
 * @throws whatever onnxruntime says of it
 */
export async function openBytes(
  bytes: Uint8Array,
  options: SessionOptions,
  name: string,
  folder?: string,
): Promise<Graph> {
  const session = sessionOptions(options);
  if (folder !== undefined) {
    const { extra } = session as { extra: { session: Record<string, unknown> } };
    extra.session.model_external_initializers_file_folder_path = folder;
  }
  return opened(await InferenceSession.create(bytes, session), options, name);
}

function opened(session: InferenceSession, options: SessionOptions, name: string): Graph {
  const graph = new Graph(session, options.provider, name, options.meter ?? { ms: 0 });
  options.opened?.push(graph);
  return graph;
}

function sessionOptions({ provider, threads }: SessionOptions): InferenceSession.SessionOptions {
  return {
    ...providerOptions(provider),
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: {
        // int8 weights are multiplied out once at load instead of at every call.
        disable_quant_qdq: '1',
        // Threads that wait sleep: spinning takes the cores that the bot needs beside the engine,
        // and where others are busy it made a call twice as long.
        intra_op: { allow_spinning: '0' },
      },
    },
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The file that exporters put a graph's weights into, where there is one. */
async function weightsBeside(path: string): Promise<string | undefined> {
  for (const file of ['model.onnx_data', 'weights.pb']) {
    if (await exists(join(dirname(path), file))) return file;
  }
  return undefined;
}

/** What is wrong with a graph's file, or with the file beside it that holds its weights. */
async function damaged(root: string, path: string, reason: string): Promise<UserError> {
  const name = relative(root, path);
  const named = /([\w.-]+(?:_data|\.data|\.pb|\.bin|\.weights))\b/.exec(reason)?.[1];
  const data = named ?? (/protobuf/i.test(reason) ? undefined : await weightsBeside(path));
  if (data !== undefined) {
    const file = relative(root, join(dirname(path), data));
    return (await exists(join(root, file)))
      ? new UserError(
          'model-file-damaged',
          `The model's ${file}, which holds the weights of ${name}, is damaged or cut off.`,
          { file },
        )
      : new UserError(
          'model-file-missing',
          `The model lacks ${file}, which holds the weights of ${name}.`,
          { file },
        );
  }
  const why = said(reason)
    .replace(/^.*failed:\s*/, '')
    .replaceAll(root, '');
  return new UserError(
    'model-file-damaged',
    `The model's ${name} is damaged or cut off (${why}).`,
    { file: name },
  );
}
