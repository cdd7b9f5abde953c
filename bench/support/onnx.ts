// Writes ONNX graphs from TypeScript: just enough of onnx.proto (field numbers from the ONNX
// repository's onnx/onnx.proto) to make random-weight models on the spot, with external data.
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toHalf } from '../../src/pipeline/fp16.js';

/** TensorProto.DataType */
export const FLOAT = 1;
export const INT64 = 7;
export const FLOAT16 = 10;

/** floats in the repeated block of random numbers */
const BLOCK_LENGTH = 1 << 20;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

const number = (field: number, value: number): Buffer =>
  Buffer.from([...varint(field << 3), ...varint(value)]);

function bytes(field: number, value: Uint8Array | string): Buffer {
  const content = Buffer.from(value);
  return Buffer.concat([
    Buffer.from([...varint((field << 3) | 2), ...varint(content.length)]),
    content,
  ]);
}

function float(field: number, value: number): Buffer {
  const content = Buffer.alloc(4);
  content.writeFloatLE(value);
  return Buffer.concat([Buffer.from(varint((field << 3) | 5)), content]);
}

type Attribute = number | string | readonly number[] | { readonly float: number };

function attribute(name: string, value: Attribute): Buffer {
  const head = bytes(1, name);
  if (typeof value === 'number') return Buffer.concat([head, number(3, value), number(20, 2)]);
  if (typeof value === 'string') return Buffer.concat([head, bytes(4, value), number(20, 3)]);
  if ('float' in value) return Buffer.concat([head, float(2, value.float), number(20, 1)]);
  return Buffer.concat([head, ...value.map((item) => number(8, item)), number(20, 7)]);
}

function valueInfo(name: string, type: number, dims: readonly (number | string)[]): Buffer {
  const shape = Buffer.concat(
    dims.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, dim))),
  );
  return Buffer.concat([
    bytes(1, name),
    bytes(2, bytes(1, Buffer.concat([number(1, type), bytes(2, shape)]))),
  ]);
}

interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  /** standard deviation, or 'ones' for the gains of a normalisation */
  readonly fill: number | 'ones';
}

/** A graph under construction. Every method that adds a node returns its output's name. */
export class GraphBuilder {
  /** FLOAT or FLOAT16: of weights, constants and outputs, and what inputs are to be declared with */
  readonly float: number;
  readonly #nodes: Buffer[] = [];
  readonly #small: Buffer[] = [];
  readonly #weights: Weight[] = [];
  readonly #inputs: Buffer[] = [];
  readonly #outputs: Buffer[] = [];
  #count = 0;

  constructor(float: number = FLOAT) {
    this.float = float;
  }

  input(name: string, type: number, dims: readonly (number | string)[]): string {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  output(name: string, from: string, dims: readonly (number | string)[]): void {
    this.#nodes.push(Buffer.concat([bytes(1, from), bytes(2, name), bytes(4, 'Identity')]));
    this.#outputs.push(valueInfo(name, this.float, dims));
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.split(op, inputs, 1, attributes)[0]!;
  }

  /** a node with several outputs */
  split(
    op: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const names = Array.from({ length: outputs }, () => `${op}_${this.#count++}`);
    this.#nodes.push(
      Buffer.concat([
        ...inputs.map((name) => bytes(1, name)),
        ...names.map((name) => bytes(2, name)),
        bytes(4, op),
        ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
      ]),
    );
    return names;
  }

  ints(values: readonly number[]): string {
    const data = new BigInt64Array(values.map(BigInt));
    return this.#constant(INT64, [values.length], new Uint8Array(data.buffer));
  }

  floats(values: readonly number[], dims: readonly number[] = []): string {
    return this.#constant(this.float, dims, this.#raw(new Float32Array(values)));
  }

  /** what Resize takes: float32 in graphs of any precision */
  scales(values: readonly number[]): string {
    return this.#constant(FLOAT, [values.length], new Uint8Array(new Float32Array(values).buffer));
  }

  /** weights from the data file: normal-like with standard deviation `fill`, or ones */
  weight(dims: readonly number[], fill: number | 'ones'): string {
    const name = `w_${this.#weights.length}`;
    this.#weights.push({ name, dims, fill });
    return name;
  }

  get parameters(): number {
    return this.#weights.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0);
  }

  #raw(values: Float32Array): Uint8Array {
    return new Uint8Array((this.float === FLOAT16 ? toHalf(values) : values).buffer);
  }

  #constant(type: number, dims: readonly number[], raw: Uint8Array): string {
    const name = `c_${this.#count++}`;
    this.#small.push(
      Buffer.concat([
        ...dims.map((dim) => number(1, dim)),
        number(2, type),
        bytes(8, name),
        bytes(9, raw),
      ]),
    );
    return name;
  }

  /** Writes `path` (the graph) and `path`_data (the weights), opset 17. */
  async save(path: string): Promise<void> {
    const location = `${basename(path)}_data`;
    const file = await open(join(dirname(path), location), 'w');
    const tensors: Buffer[] = [];
    try {
      let offset = 0;
      for (const weight of this.#weights) {
        const size = this.float === FLOAT16 ? 2 : 4;
        const length = size * weight.dims.reduce((a, b) => a * b, 1);
        await write(file, offset, length, this.#raw(values(weight.fill)));
        const entry = (key: string, value: string) =>
          bytes(13, Buffer.concat([bytes(1, key), bytes(2, value)]));
        tensors.push(
          Buffer.concat([
            ...weight.dims.map((dim) => number(1, dim)),
            number(2, this.float),
            bytes(8, weight.name),
            entry('location', location),
            entry('offset', String(offset)),
            entry('length', String(length)),
            number(14, 1),
          ]),
        );
        offset += Math.ceil(length / 4096) * 4096;
      }
    } finally {
      await file.close();
    }
    const graph = Buffer.concat([
      ...this.#nodes.map((node) => bytes(1, node)),
      bytes(2, 'graph'),
      ...[...this.#small, ...tensors].map((tensor) => bytes(5, tensor)),
      ...this.#inputs.map((input) => bytes(11, input)),
      ...this.#outputs.map((output) => bytes(12, output)),
    ]);
    const model = Buffer.concat([number(1, 8), bytes(7, graph), bytes(8, number(2, 17))]);
    await writeFile(path, model);
  }
}

let block: Float32Array | undefined;

/** A block of fixed pseudo-random numbers of unit variance; repeated, since only the shape matters. */
function randomBlock(): Float32Array {
  if (block) return block;
  block = new Float32Array(BLOCK_LENGTH);
  let state = 0x2545f491;
  for (let i = 0; i < block.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    block[i] = ((state >>> 0) / 2 ** 31 - 1) * Math.sqrt(3);
  }
  return block;
}

function values(fill: number | 'ones'): Float32Array {
  return fill === 'ones'
    ? new Float32Array(BLOCK_LENGTH).fill(1)
    : randomBlock().map((x) => x * fill);
}

/** @param block repeated until `length` bytes are written */
async function write(
  file: FileHandle,
  offset: number,
  length: number,
  block: Uint8Array,
): Promise<void> {
  for (let done = 0; done < length; done += block.length) {
    const part = block.subarray(0, Math.min(block.length, length - done));
    await file.write(part, 0, part.length, offset + done);
  }
}
