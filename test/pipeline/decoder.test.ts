// The ways of a VAE that overflows in half precision, where some of them find no memory.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UserError } from '../../src/errors.js';
import { Decoder } from '../../src/pipeline/families/decoder.js';
import { Encoder } from '../../src/pipeline/families/encoder.js';
import type { FamilySource } from '../../src/pipeline/families/family.js';
import { Graph, openGraph } from '../../src/pipeline/session.js';
import { saveVae, saveVaeEncoder } from '../support/onnx.js';

const LATENTS = {
  data: Float32Array.from({ length: 4 * 8 * 8 }, (_, i) => Math.sin(i) * 2),
  dims: [1, 4, 8, 8],
};
const PIXELS = { data: new Float32Array(3 * 16 * 16).fill(0.5), dims: [1, 3, 16, 16] };

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ylem-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true });
});

/** onnxruntime-node takes a provider that it does not know for the CPU: so there is more than one way. */
const SESSION = { provider: 'xnnpack', threads: 1 };

function sourceOf(): FamilySource {
  return { root, session: SESSION, opened: [] as Graph[] } as unknown as FamilySource;
}

/** The runs that find no memory, by their number from 1. */
function fullMemoryIn(...runs: number[]): () => number {
  let count = 0;
  const { run } = Graph.prototype;
  vi.spyOn(Graph.prototype, 'run').mockImplementation(function (this: Graph, feeds) {
    count++;
    if (runs.includes(count))
      return Promise.reject(new UserError('out-of-memory', 'The picture does not fit.'));
    return run.call(this, feeds);
  });
  return () => count;
}

async function decoder(source: FamilySource): Promise<Decoder> {
  await mkdir(join(root, 'vae_decoder'));
  const path = join(root, 'vae_decoder/model.onnx');
  await saveVae(path, { type: 'float16', swell: 1e8 });
  const graph = await openGraph(root, path, SESSION);
  source.opened.push(graph);
  return new Decoder(graph, source);
}

test('a decoding that finds no memory in one way goes on with the next, which stays', async () => {
  const source = sourceOf();
  const vae = await decoder(source);
  const runs = fullMemoryIn(2);
  const image = await vae.run(LATENTS, true);
  expect(image.data.every(Number.isFinite)).toBe(true);
  expect(runs()).toBe(3);
  // The next picture is decoded in that way at once, and nothing else is held.
  await vae.run(LATENTS, true);
  expect(runs()).toBe(4);
  expect(source.opened).toHaveLength(1);
  await source.opened[0]?.release();
});

test('where no way has memory that is what is told, and the next picture tries again', async () => {
  const source = sourceOf();
  const vae = await decoder(source);
  fullMemoryIn(2, 3, 4);
  await expect(vae.run(LATENTS, true)).rejects.toMatchObject({ identifier: 'out-of-memory' });
  expect(source.opened).toHaveLength(1);
  vi.restoreAllMocks();
  const { data } = await vae.run(LATENTS, true).catch(() => ({ data: new Float32Array(1) }));
  expect(data.every(Number.isFinite)).toBe(true);
  await Promise.all(source.opened.map((graph) => graph.release()));
});

test('an encoding goes on with the next way as well', async () => {
  const source = sourceOf();
  await mkdir(join(root, 'vae_encoder'));
  await saveVaeEncoder(join(root, 'vae_encoder/model.onnx'), { type: 'float16', swell: 1e8 });
  const encoder = await Encoder.find(source);
  const runs = fullMemoryIn(2);
  const { values } = (await encoder?.run(PIXELS)) ?? {};
  expect(values?.data.every(Number.isFinite)).toBe(true);
  expect(runs()).toBe(3);
  expect(source.opened).toHaveLength(1);
  await source.opened[0]?.release();
});
