// Writes small ONNX graphs, for models that do what no real one can be asked to do on demand.
// Field numbers are those of the ONNX repository's onnx/onnx.proto.

import { writeFile } from 'node:fs/promises';
import { toHalf } from '../../src/pipeline/fp16.js';
import { message, whole } from '../../src/pipeline/protobuf.js';

export type Type = 'float32' | 'float16' | 'int64' | 'bool';
const CODES = { float32: 1, float16: 10, int64: 7, bool: 9 } as const;

type Dims = readonly (number | string)[];
type Attribute = number | readonly number[] | string;

const bytes = (field: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(message(field, parts));
const text = (field: number, value: string): Uint8Array => bytes(field, Buffer.from(value));

function valueInfo(name: string, type: Type, dims: Dims): Uint8Array {
  const shape = dims.map((dim) => bytes(1, typeof dim === 'number' ? whole(1, dim) : text(2, dim)));
  return Buffer.concat([
    text(1, name),
    bytes(2, bytes(1, whole(1, CODES[type]), bytes(2, ...shape))),
  ]);
}

function attribute(name: string, value: Attribute): Uint8Array {
  const head = text(1, name);
  if (typeof value === 'number') return Buffer.concat([head, whole(3, value), whole(20, 2)]);
  if (typeof value === 'string') return Buffer.concat([head, text(4, value), whole(20, 3)]);
  return Buffer.concat([head, ...value.map((item) => whole(8, item)), whole(20, 7)]);
}

/** Little endian, as raw_data holds them. */
function raw(type: Type, values: readonly number[]): Uint8Array {
  const data =
    type === 'int64'
      ? BigInt64Array.from(values, BigInt)
      : type === 'float16'
        ? toHalf(Float32Array.from(values))
        : Float32Array.from(values);
  return new Uint8Array(data.buffer);
}

/** A graph under construction; `node` and `constant` return the name of what they add. */
export class SmallGraph {
  readonly #parts: Uint8Array[] = [];
  #count = 0;

  input(name: string, type: Type, dims: Dims): string {
    this.#parts.push(bytes(11, valueInfo(name, type, dims)));
    return name;
  }

  constant(type: Type, dims: readonly number[], values: readonly number[]): string {
    const name = `c${this.#count++}`;
    const sizes = dims.map((dim) => whole(1, dim));
    const tensor = [...sizes, whole(2, CODES[type]), text(8, name), bytes(9, raw(type, values))];
    this.#parts.push(bytes(5, ...tensor));
    return name;
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = `v${this.#count++}`,
  ): string {
    this.#parts.push(
      bytes(
        1,
        ...inputs.map((name) => text(1, name)),
        text(2, output),
        text(4, op),
        ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
      ),
    );
    return output;
  }

  output(name: string, from: string, type: Type, dims: Dims): void {
    this.node('Identity', [from], {}, name);
    this.#parts.push(bytes(12, valueInfo(name, type, dims)));
  }

  /** opset 17 */
  async save(path: string): Promise<void> {
    const graph = bytes(7, ...this.#parts, text(2, 'graph'));
    await writeFile(path, Buffer.concat([whole(1, 8), graph, bytes(8, whole(2, 17))]));
  }
}

export interface VaeOptions {
  readonly type: 'float32' | 'float16';
  /** what every value is multiplied by on the way, and divided by again */
  readonly swell?: number;
  /** added to the picture, in [-1, 1]: -9 makes it black */
  readonly offset?: number;
  /** 0 / 0 in every pixel */
  readonly broken?: boolean;
  /** latents per side, where the graph takes no others */
  readonly side?: number;
}

/**
 * A VAE decoder for latents [1, 4, h, w]: the first three channels as colours, four times enlarged.
 * In half precision it overflows where the swollen values pass 65504.
 */
export async function saveVae(path: string, options: VaeOptions): Promise<void> {
  const { type, swell = 1, offset = 0, broken = false, side } = options;
  const graph = new SmallGraph();
  const latents = graph.input('latent_sample', type, ['batch', 4, side ?? 'h', side ?? 'w']);
  const scalar = (value: number) => graph.constant(type, [], [value]);
  const one = (value: number) => graph.constant('int64', [1], [value]);
  const colours = graph.node('Slice', [latents, one(0), one(3), one(1)]);
  let value = graph.node('Tanh', [graph.node('Mul', [colours, scalar(0.1)])]);
  const steps = Math.ceil(Math.log10(swell) / 4);
  for (let i = 0; i < steps; i++) {
    const large = graph.node('Mul', [value, scalar(swell ** (1 / steps))]);
    // Writes the large values down as they are typed: an operator that the CPU has for halves, and
    // that no optimisation takes away.
    const twice = graph.node('Concat', [large, large], { axis: 1 });
    value = graph.node('Slice', [twice, one(0), one(3), one(1)]);
  }
  for (let i = 0; i < steps; i++) {
    value = graph.node('Div', [value, scalar(swell ** (1 / steps))]);
  }
  if (broken) {
    const zero = graph.node('Sub', [value, value]);
    value = graph.node('Div', [zero, zero]);
  }
  value = graph.node('Add', [value, scalar(offset)]);
  const scales = graph.constant('float32', [4], [1, 1, 4, 4]);
  const enlarged = graph.node('Resize', [value, '', scales], { mode: 'nearest' });
  graph.output('sample', enlarged, type, ['batch', 3, 'H', 'W']);
  await graph.save(path);
}

/**
 * A VAE encoder for pictures [B, 3, H, W] and latents of a quarter of their sides: the colours of
 * every fourth pixel as means, swollen on the way, with a variance of about 0.
 */
export async function saveVaeEncoder(
  path: string,
  { type, swell }: { readonly type: 'float32' | 'float16'; readonly swell: number },
): Promise<void> {
  const graph = new SmallGraph();
  const sample = graph.input('sample', type, ['batch', 3, 'H', 'W']);
  const scalar = (value: number) => graph.constant(type, [], [value]);
  const list = (...values: number[]) => graph.constant('int64', [values.length], values);
  const bounds = [list(0, 0), list(1 << 20, 1 << 20), list(2, 3), list(4, 4)];
  const colours = graph.node('Slice', [sample, ...bounds]);
  const four = graph.node('Concat', [colours, colours], { axis: 1 });
  const means = graph.node('Slice', [four, list(0), list(4), list(1)]);
  const steps = Math.ceil(Math.log10(swell) / 4);
  let value = means;
  for (let i = 0; i < steps; i++) {
    const large = graph.node('Mul', [value, scalar(swell ** (1 / steps))]);
    // As in `saveVae`: the large values are written down as they are typed.
    const twice = graph.node('Concat', [large, large], { axis: 1 });
    value = graph.node('Slice', [twice, list(0), list(4), list(1)]);
  }
  for (let i = 0; i < steps; i++) {
    value = graph.node('Div', [value, scalar(swell ** (1 / steps))]);
  }
  const low = graph.node('Sub', [graph.node('Mul', [means, scalar(0)]), scalar(20)]);
  const both = graph.node('Concat', [value, low], { axis: 1 });
  graph.output('latent_parameters', both, type, ['batch', 8, 'h', 'w']);
  await graph.save(path);
}

export interface UnetOptions {
  /** width of the text encoder's states */
  readonly context: number;
  /** timesteps below this give no numbers */
  readonly brokenBelow: number;
}

/** A UNet for latents of 4 channels that takes a tenth of its sample for noise; dims as Optimum's. */
export async function saveUnet(path: string, options: UnetOptions): Promise<void> {
  const graph = new SmallGraph();
  const sample = graph.input('sample', 'float32', ['batch', 4, 'h', 'w']);
  const timestep = graph.input('timestep', 'float32', []);
  graph.input('encoder_hidden_states', 'float32', ['batch', 's', options.context]);
  const scalar = (value: number) => graph.constant('float32', [], [value]);
  // The square root of a number below 0 is none.
  const late = graph.node('Sub', [timestep, scalar(options.brokenBelow)]);
  const root = graph.node('Sqrt', [late]);
  const nothing = graph.node('Mul', [root, scalar(0)]);
  const noise = graph.node('Mul', [sample, scalar(0.1)]);
  graph.output('out_sample', graph.node('Add', [noise, nothing]), 'float32', [
    'batch',
    4,
    'h',
    'w',
  ]);
  await graph.save(path);
}

/** A safety checker that flags every picture brighter than `above` on average; -9 flags all. */
export async function saveSafetyChecker(path: string, above: number): Promise<void> {
  const graph = new SmallGraph();
  const clip = graph.input('clip_input', 'float32', ['batch', 3, 224, 224]);
  const images = graph.input('images', 'float32', ['batch', 'H', 'W', 3]);
  const mean = graph.node('ReduceMean', [clip], { axes: [1, 2, 3], keepdims: 0 });
  const found = graph.node('Greater', [mean, graph.constant('float32', [], [above])]);
  graph.output('out_images', images, 'float32', ['batch', 'H', 'W', 3]);
  graph.output('has_nsfw_concepts', found, 'bool', ['batch']);
  await graph.save(path);
}
