// The UNet or transformer: called with a sample, a timestep and what the prompts gave.

import type { Tensor } from 'onnxruntime-node';
import { TorchGenerator } from '../noise/torch.js';
import { floats, type Graph } from '../session.js';
import type { FloatTensor } from '../types.js';

/** What the denoiser is fed beside sample and timestep, by the names of its inputs; batch 1. */
export type Conditions = Readonly<Record<string, FloatTensor>>;

/** How latents [B, C, h, w] lie in the graph's input and output. */
export interface Layout {
  into(latents: Float32Array, dims: readonly number[]): FloatTensor;
  outOf(output: Float32Array, dims: readonly number[]): Float32Array;
}

const PLANES: Layout = { into: (data, dims) => ({ data, dims }), outOf: (output) => output };

export interface DenoiserOptions {
  /** the name of the input that takes the latents */
  readonly sample: string;
  readonly layout?: Layout;
  /** what the graph calls t, from the scheduler's timestep (Flux: t / 1000) */
  readonly timestep?: (t: number) => number;
  /** a timestep for each sample, whatever the graph calls that dimension (diffusers' transformers) */
  readonly perSample?: boolean;
}

/**
 * ms of two model calls beyond which a batch is not tried: it gains nothing where a call fills the
 * processor, and the trial would delay the start.
 */
const SLOW_CALLS = 300;
/** The trial ends when one way took less than this much of the other's time, else after three rounds. */
const CLEARLY = 0.85;
const ROUNDS = 3;

export class Denoiser {
  readonly graph: Graph;
  readonly #sample: string;
  readonly #layout: Layout;
  readonly #timestep: (t: number) => number;
  readonly #perSample: boolean;
  /** the tensors of conditions that go into many calls */
  readonly #tensors = new WeakMap<FloatTensor, Tensor>();
  /** what the last batch of two was fed with */
  #doubled = new Float32Array();
  /** guidance in one batch of two; settled by `probe` */
  #batched = false;
  /** called with the ms of every call */
  onCall: (ms: number) => void = () => {};

  constructor(graph: Graph, { sample, layout, timestep, perSample = false }: DenoiserOptions) {
    this.#perSample = perSample;
    this.graph = graph;
    this.#sample = sample;
    this.#layout = layout ?? PLANES;
    this.#timestep = timestep ?? ((t) => t);
  }

  /** 'fp16' or 'fp32' */
  get precision(): string {
    return this.graph.inputs.get(this.#sample)?.type === 'float16' ? 'fp16' : 'fp32';
  }

  /** The graph's estimate for a sample [1, C, h, w]. */
  call(
    sample: Float32Array,
    dims: readonly number[],
    t: number,
    conditions: Conditions,
  ): Promise<Float32Array> {
    return this.#run(sample, dims, t, conditions);
  }

  /** The estimates of one sample for two conditions, in one call where that is the faster. */
  async pair(
    sample: Float32Array,
    dims: readonly number[],
    t: number,
    first: Conditions,
    second: Conditions,
  ): Promise<readonly [Float32Array, Float32Array]> {
    return this.#batched && sameSizes(first, second)
      ? this.#both(sample, dims, t, first, second)
      : this.#apart(sample, dims, t, first, second);
  }

  /**
   * Settles whether guidance runs as one batch of two: only where that is clearly faster and gives
   * the very same bits at two sizes, so that the choice cannot show in any picture.
   * @param side latents per side that the model was trained on
   * @param least latents per side that the graph can halve as often as it does
   */
  async probe(
    channels: number,
    side: number,
    least: number,
    first: Conditions,
    second: Conditions,
  ): Promise<void> {
    const declared = this.graph.inputs.get(this.#sample)?.shape ?? [];
    if ([0, 2, 3].some((i) => Number(declared[i]) > 0)) return; // exported for one size alone
    const ways = (height: number, width: number) => {
      const dims = [1, channels, height, width];
      const sample = new TorchGenerator(0).randn(dims);
      return {
        one: () => this.#run(sample, dims, 500, first),
        apart: () => this.#apart(sample, dims, 500, first, second),
        together: () => this.#both(sample, dims, 500, first, second),
      };
    };
    // Not square: what is the same at one shape need not be at another.
    const small = ways(least, 4 * least);
    await small.one(); // the first call pays for the arena
    const { ms } = await timed(small.one);
    if (2 * ms * (side / (2 * least)) ** 2 > SLOW_CALLS) return;
    const square = ways(side, side);
    let [slow, fast] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const { apart, together } of [small, square]) {
      const one = await timed(apart);
      // Graphs that were exported for one sample may not run with two.
      const two = await timed(together).catch(() => undefined);
      if (!two?.value.every((values, k) => values.every((v, i) => v === one.value[k]![i]))) return;
      [slow, fast] = [one.ms, two.ms];
    }
    for (let round = 1; round < ROUNDS; round++) {
      if (fast < CLEARLY * slow || slow < CLEARLY * fast) break;
      slow = Math.min(slow, (await timed(square.apart)).ms);
      fast = Math.min(fast, (await timed(square.together)).ms);
    }
    this.#batched = fast < 0.95 * slow;
  }

  async #apart(
    sample: Float32Array,
    dims: readonly number[],
    t: number,
    first: Conditions,
    second: Conditions,
  ): Promise<readonly [Float32Array, Float32Array]> {
    return [await this.#run(sample, dims, t, first), await this.#run(sample, dims, t, second)];
  }

  async #both(
    sample: Float32Array,
    dims: readonly number[],
    t: number,
    first: Conditions,
    second: Conditions,
  ): Promise<readonly [Float32Array, Float32Array]> {
    const output = await this.#run(
      this.#twice(sample),
      [2, ...dims.slice(1)],
      t,
      stack(first, second),
    );
    const half = output.length / 2;
    return [output.subarray(0, half), output.subarray(half)];
  }

  async #run(
    latents: Float32Array,
    dims: readonly number[],
    t: number,
    conditions: Conditions,
  ): Promise<Float32Array> {
    const begun = performance.now();
    const sample = this.#layout.into(latents, dims);
    const feeds: Record<string, Tensor> = {
      [this.#sample]: this.graph.feed(this.#sample, sample.data, sample.dims),
      timestep: this.#feedTimestep(this.#timestep(t), dims[0]!),
    };
    for (const [name, value] of Object.entries(conditions)) feeds[name] = this.#tensor(name, value);
    const outputs = await this.graph.run(feeds);
    const output = floats(Object.values(outputs)[0], 'estimate').data;
    const estimate = this.#layout.outOf(output, dims);
    this.onCall(performance.now() - begun);
    return estimate;
  }

  /** In the memory of the call before, which has read its inputs by now. */
  #twice(sample: Float32Array): Float32Array {
    const { length } = sample;
    if (this.#doubled.length !== 2 * length) this.#doubled = new Float32Array(2 * length);
    this.#doubled.set(sample);
    this.#doubled.set(sample, length);
    return this.#doubled;
  }

  #tensor(name: string, value: FloatTensor): Tensor {
    let tensor = this.#tensors.get(value);
    if (tensor === undefined) {
      tensor = this.graph.feed(name, value.data, value.dims);
      this.#tensors.set(value, tensor);
    }
    return tensor;
  }

  /** Three generations of exports: [batch] (diffusers' script), ["steps"], and rank 0 (Optimum). */
  #feedTimestep(t: number, batch: number): Tensor {
    const { shape } = this.graph.inputs.get('timestep')!;
    if (shape.length === 0) return this.graph.feed('timestep', [t], []);
    const named = typeof shape[0] === 'string' && /batch/i.test(shape[0]);
    const count = named || this.#perSample ? batch : 1;
    return this.graph.feed('timestep', Array<number>(count).fill(t), [count]);
  }
}

/** Stacked pairs of conditions are made once: their tensors are found again by identity. */
const stacked = new WeakMap<Conditions, WeakMap<Conditions, Conditions>>();

function stack(first: Conditions, second: Conditions): Conditions {
  const known = stacked.get(first) ?? new WeakMap<Conditions, Conditions>();
  stacked.set(first, known);
  let both = known.get(second);
  if (both === undefined) {
    both = Object.fromEntries(
      Object.entries(first).map(([name, { data, dims }]) => [
        name,
        { data: join(data, second[name]!.data), dims: [2, ...dims.slice(1)] },
      ]),
    );
    known.set(second, both);
  }
  return both;
}

const sameSizes = (first: Conditions, second: Conditions): boolean =>
  Object.entries(first).every(([name, { dims }]) =>
    dims.every((size, i) => size === second[name]?.dims[i]),
  );

function join(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

async function timed<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly ms: number }> {
  const begun = performance.now();
  const value = await work();
  return { value, ms: performance.now() - begun };
}
