// What an ONNX file says of itself, read without onnxruntime and without the weights: what the graph
// wants and gives, where its weights lie, and whether the files are long enough to hold them.
// Field numbers are those of the ONNX repository's onnx/onnx.proto.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { fieldsByNumber, NotProtobuf, text } from './protobuf.js';

export interface OnnxValue {
  readonly name: string;
  /** as onnxruntime names it: 'float32', 'float16', 'int64', ...; 'other' for what is rarer */
  readonly type: string;
  /** sizes, or names of free dimensions ('' where one has none) */
  readonly shape: readonly (number | string)[];
}

export interface OnnxHeader {
  /** inputs that have to be fed: those that are no weights */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** bytes that each file beside the graph must have at least, by the name the graph gives it */
  readonly external: ReadonlyMap<string, number>;
  /** how many weights there are of each type, as onnxruntime names types */
  readonly weights: ReadonlyMap<string, number>;
  /** versions of the operator sets; 'ai.onnx' is the standard one */
  readonly opsets: ReadonlyMap<string, number>;
  /** what made the file, such as 'pytorch 2.3.0'; '' where it does not say */
  readonly producer: string;
}

const TYPES: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  16: 'bfloat16',
};

/** Heads of files that have not changed: directories are looked at again and again. */
const KNOWN = new Map<string, { readonly stamp: string; readonly header: OnnxHeader }>();
const MOST_KNOWN = 1000;

/** bytes read at a time: weights are skipped, not read */
const WINDOW = 1 << 16;
/** a graph's inputs and weights have short descriptions; a longer one is no graph's */
const LONGEST = 1 << 20;

/** @throws NotProtobuf; whatever opening and reading a file throws */
export async function readOnnxHeader(path: string): Promise<OnnxHeader> {
  // Opening a pipe would wait for whoever writes into it.
  if (!(await stat(path)).isFile()) throw new NotProtobuf('is no regular file');
  const file = await open(path, 'r');
  try {
    const { size, mtimeMs, ino } = await file.stat();
    const stamp = `${size} ${mtimeMs} ${ino}`;
    const known = KNOWN.get(path);
    if (known?.stamp === stamp) return known.header;
    const header = await readModel(new Reader(file, size), size);
    if (KNOWN.size >= MOST_KNOWN) KNOWN.clear();
    KNOWN.set(path, { stamp, header });
    return header;
  } finally {
    await file.close();
  }
}

async function readModel(reader: Reader, size: number): Promise<OnnxHeader> {
  let graph: GraphParts | undefined;
  const opsets = new Map<string, number>();
  const producer: string[] = [];
  await reader.fields(size, async (field, wire, end) => {
    if (wire !== 2) return;
    if (field === 7) {
      // A graph in several pieces is one graph to whoever loads it: what a piece names counts.
      graph ??= noParts();
      await readGraph(reader, end, graph);
    }
    if (field === 2 || field === 3)
      producer.push(Buffer.from(await reader.bytes(end)).toString('utf8'));
    else if (field === 8) {
      const set = fieldsByNumber(await reader.bytes(end));
      opsets.set(text(set.get(1)?.[0]) || 'ai.onnx', Number(set.get(2)?.[0]?.value ?? 0));
    }
  });
  if (graph === undefined) throw new NotProtobuf('holds no ONNX graph');
  const { inputs, outputs, names, external, weights } = graph;
  return {
    inputs: inputs.filter(({ name }) => !names.has(name)),
    outputs,
    external,
    weights,
    opsets,
    producer: producer.join(' ').trim(),
  };
}

interface GraphParts {
  readonly inputs: OnnxValue[];
  readonly outputs: OnnxValue[];
  /** of weights */
  readonly names: Set<string>;
  readonly weights: Map<string, number>;
  readonly external: Map<string, number>;
}

const noParts = (): GraphParts => ({
  inputs: [],
  outputs: [],
  names: new Set(),
  weights: new Map(),
  external: new Map(),
});

async function readGraph(reader: Reader, end: number, parts: GraphParts): Promise<void> {
  const { inputs, outputs, names, weights, external } = parts;
  await reader.fields(end, async (field, wire, until) => {
    if (wire !== 2) return;
    if (field === 11) inputs.push(value(await reader.bytes(until)));
    else if (field === 12) outputs.push(value(await reader.bytes(until)));
    else if (field === 5) {
      const { name, type, count, location, length } = await readTensor(reader, until);
      names.add(name);
      weights.set(type, (weights.get(type) ?? 0) + count);
      if (location === undefined) return;
      external.set(location, Math.max(external.get(location) ?? 0, length));
    }
  });
}

/**
 * TensorProto without its values. `count`: how many there are; `length`: bytes that the file named
 * `location` must have.
 */
async function readTensor(reader: Reader, end: number) {
  let [name, type, count] = ['', 'other', 1];
  const entries = new Map<string, string>();
  await reader.fields(end, async (field, wire, until, value) => {
    if (field === 1 && wire === 0) count *= value;
    else if (field === 2 && wire === 0) type = TYPES[value] ?? 'other';
    if (wire !== 2) return;
    // Dimensions are packed by newer writers.
    if (field === 1) for (const size of varints(await reader.bytes(until))) count *= size;
    if (field === 8) name = Buffer.from(await reader.bytes(until)).toString('utf8');
    if (field !== 13) return;
    const pair = fieldsByNumber(await reader.bytes(until));
    // Of a field that is there several times the last one counts.
    entries.set(text(pair.get(1)?.at(-1)), text(pair.get(2)?.at(-1)));
  });
  const location = entries.get('location');
  const length = Number(entries.get('offset') ?? 0) + Number(entries.get('length') ?? 0);
  return { name, type, count, location, length: Number.isFinite(length) ? length : 0 };
}

/** ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1, shape 2 { dim 1 {} } } } */
function value(bytes: Uint8Array): OnnxValue {
  const within = (message: Uint8Array | undefined, field: number) =>
    message && fieldsByNumber(message).get(field)?.[0]?.bytes;
  const tensor = within(within(bytes, 2), 1) ?? new Uint8Array();
  const code = fieldsByNumber(tensor).get(1)?.[0]?.value ?? 0n;
  const shape = within(tensor, 2) ?? new Uint8Array();
  return {
    name: text(fieldsByNumber(bytes).get(1)?.[0]),
    type: TYPES[Number(code)] ?? 'other',
    shape: (fieldsByNumber(shape).get(1) ?? []).map((dim) => {
      const fields = fieldsByNumber(dim.bytes);
      const size = fields.get(1)?.[0];
      return size === undefined ? text(fields.get(2)?.[0]) : Number(size.value);
    }),
  };
}

/** Numbers one after another. */
function varints(bytes: Uint8Array): number[] {
  const found: number[] = [];
  let [value, scale] = [0, 1];
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 0x80) continue;
    found.push(value);
    [value, scale] = [0, 1];
  }
  return found;
}

/** Walks a file's fields; what is not asked for is skipped without being read. */
class Reader {
  readonly #file: FileHandle;
  readonly #size: number;
  #at = 0;
  #window = new Uint8Array();
  #from = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /**
   * Calls `visit` for each field up to `end`; what the visitor leaves of a field is skipped.
   * @param visit its third argument is where the field ends, for wire type 2; its fourth one the
   * number, for wire type 0
   */
  async fields(
    end: number,
    visit: (field: number, wire: number, until: number, value: number) => Promise<void>,
  ): Promise<void> {
    while (this.#at < end) {
      const tag = await this.#varint();
      const wire = tag & 7;
      let until: number;
      let value = 0;
      if (wire === 0) {
        value = await this.#varint();
        until = this.#at;
      } else {
        const length = wire === 2 ? await this.#varint() : wire === 1 ? 8 : wire === 5 ? 4 : -1;
        until = this.#at + length;
        if (length < 0) throw new NotProtobuf('is no ONNX graph');
      }
      if (until > this.#size) throw new NotProtobuf('is cut off');
      if (until > end) throw new NotProtobuf('is no ONNX graph');
      await visit(tag >>> 3, wire, until, value);
      this.#at = until;
    }
  }

  /** The bytes from here to `end`. */
  async bytes(end: number): Promise<Uint8Array> {
    const length = end - this.#at;
    if (length > LONGEST) throw new NotProtobuf('is no ONNX graph');
    await this.#hold(length);
    const start = this.#at - this.#from;
    this.#at = end;
    return this.#window.slice(start, start + length);
  }

  async #varint(): Promise<number> {
    let [result, scale] = [0, 1];
    for (let i = 0; i < 10; i++) {
      await this.#hold(1);
      const byte = this.#window[this.#at++ - this.#from] ?? 0;
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 128;
    }
    throw new NotProtobuf('is no ONNX graph');
  }

  /** Sees to it that `length` bytes from here are in the window. */
  async #hold(length: number): Promise<void> {
    const start = this.#at - this.#from;
    if (start >= 0 && start + length <= this.#window.length) return;
    if (this.#at + length > this.#size) throw new NotProtobuf('is cut off');
    const window = new Uint8Array(Math.max(WINDOW, length));
    const { bytesRead } = await this.#file.read(window, 0, window.length, this.#at);
    if (bytesRead < length) throw new NotProtobuf('is cut off');
    this.#window = window.subarray(0, bytesRead);
    this.#from = this.#at;
  }
}
