// Whether guidance runs as one batch of two or as two calls, with graphs that take as long as the
// test says and answer as it says.

import { Tensor } from 'onnxruntime-node';
import { afterEach, expect, it, vi } from 'vitest';
import { type Conditions, Denoiser } from '../../../src/pipeline/families/denoiser.js';
import type { Graph } from '../../../src/pipeline/session.js';

afterEach(() => {
  vi.restoreAllMocks();
});

interface Behaviour {
  /** what a call costs for so many samples, ms */
  readonly ms: (samples: number) => number;
  /** added to what comes of a batch of two */
  readonly off?: number;
  /** sizes of the sample as the graph declares them */
  readonly shape?: readonly (number | string)[];
}

const SIDE = 8;
const DIMS = [1, 4, SIDE, SIDE];
const word = (value: number): Conditions => ({
  encoder_hidden_states: { data: new Float32Array(2).fill(value), dims: [1, 1, 2] },
});

/** How many calls a step of guidance takes after the trial. */
async function callsPerStep({ ms, off = 0, shape }: Behaviour): Promise<number> {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const input = { type: 'float32', shape: shape ?? ['batch', 4, 'h', 'w'] };
  const graph = {
    inputs: new Map([
      ['sample', input],
      ['timestep', { type: 'float32', shape: [] }],
      ['encoder_hidden_states', { type: 'float32', shape: ['batch', 's', 2] }],
    ]),
    feed: (_name: string, data: Float32Array, dims: number[]) =>
      new Tensor('float32', Float32Array.from(data), dims),
    run: async ({ sample, encoder_hidden_states: words }: Record<string, Tensor>) => {
      const [samples = 1] = sample!.dims;
      now += ms(samples);
      // Each sample with the words that belong to it.
      const all = sample!.data as Float32Array;
      const each = all.length / samples;
      const values = all.map((v, i) => v + Number(words!.data[2 * Math.floor(i / each)]));
      if (samples === 2) values[0]! += off;
      return { out: new Tensor('float32', values, sample!.dims) };
    },
  } as unknown as Graph;
  const denoiser = new Denoiser(graph, { sample: 'sample' });
  const [first, second] = [word(1), word(2)];
  await denoiser.probe(4, SIDE, 2, first, second);
  let calls = 0;
  denoiser.onCall = () => calls++;
  const sample = new Float32Array(4 * SIDE * SIDE).fill(0.5);
  const [one, two] = await denoiser.pair(sample, DIMS, 500, first, second);
  expect([one.length, one[9], two.length, two[9]]).toEqual([256, 1.5, 256, 2.5]);
  // Words of another length cannot lie beside each other.
  const long = { encoder_hidden_states: { data: new Float32Array(4), dims: [1, 2, 2] } };
  const before = calls;
  await denoiser.pair(sample, DIMS, 500, first, long);
  expect(calls - before).toBe(2);
  return before;
}

it('is one call where a batch of two takes no longer than one', async () => {
  expect(await callsPerStep({ ms: () => 10 })).toBe(1);
});

it('is one call where a batch is only somewhat faster, time after time', async () => {
  expect(await callsPerStep({ ms: (samples) => (samples === 1 ? 10 : 18) })).toBe(1);
});

it.each<[string, Behaviour]>([
  ['a batch gains nothing', { ms: (samples) => 10 * samples }],
  ['a batch takes longer', { ms: (samples) => 15 * samples ** 2 }],
  ['a batch gives other bits', { ms: () => 10, off: 1e-6 }],
  ['a call fills the processor', { ms: () => 1000 }],
  ['the graph is for one size alone', { ms: () => 10, shape: [1, 4, SIDE, SIDE] }],
  [
    'the graph takes one sample alone',
    {
      ms: (samples) => {
        if (samples > 1) throw new Error('Got invalid dimensions for input: sample');
        return 10;
      },
    },
  ],
])('is two calls where %s', async (_name, behaviour) => {
  expect(await callsPerStep(behaviour)).toBe(2);
});
