// fp16 graphs made fp32: the same results where both can hold them, and numbers where halves overflow.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterEach, describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from '../../src/pipeline/fp16.js';
import { NotProtobuf } from '../../src/pipeline/protobuf.js';
import { halfTensor } from '../../src/pipeline/session.js';
import { upcast } from '../../src/pipeline/upcast.js';
import { saveVae } from '../support/onnx.js';

const MODELS = fileURLToPath(new URL('../fixtures/models/', import.meta.url));

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
});
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ylem-'));
  folders.push(path);
  return path;
}

async function single(path: string): Promise<Uint8Array> {
  const bytes = await upcast(path);
  if (bytes === undefined) throw new Error('Expected halves in the graph');
  return bytes;
}

const LATENTS = Float32Array.from({ length: 4 * 8 * 8 }, (_, i) => Math.sin(i) * 2);

async function decode(model: string | Uint8Array, half: boolean): Promise<Float32Array> {
  const session =
    typeof model === 'string'
      ? await InferenceSession.create(model)
      : await InferenceSession.create(model);
  const data = half ? toHalf(LATENTS) : LATENTS;
  const feed =
    data instanceof Uint16Array
      ? halfTensor(data, [1, 4, 8, 8])
      : new Tensor('float32', data, [1, 4, 8, 8]);
  const { sample } = await session.run({ latent_sample: feed });
  await session.release();
  const values = sample!.data as Float32Array | Uint16Array;
  return values instanceof Uint16Array ? fromHalf(values) : Float32Array.from(values);
}

const finite = (values: Float32Array): boolean => values.every(Number.isFinite);

describe('upcast', () => {
  it('gives numbers where half precision overflows', async () => {
    const path = join(await folder(), 'model.onnx');
    await saveVae(path, { type: 'float16', swell: 1e8 });
    const halves = await decode(path, true);
    const singles = await decode(await single(path), false);
    expect(finite(halves)).toBe(false);
    expect(finite(singles)).toBe(true);
    expect(Math.max(...singles)).toBeGreaterThan(0.1);
    expect(Math.max(...singles)).toBeLessThanOrEqual(1);
  });

  it('has nothing to do where no halves are', async () => {
    expect(await upcast(join(MODELS, 'tiny-sd/vae_decoder/model.onnx'))).toBeUndefined();
    expect(await upcast(join(MODELS, 'tiny-sd/unet/model.onnx'))).toBeUndefined();
  });

  it('brings the weights of a real fp16 UNet along, wherever they lie', async () => {
    const path = join(await folder(), 'model.onnx');
    await cp(join(MODELS, 'tiny-sd-variants/unet-fp16.onnx'), path);
    const run = async (session: InferenceSession, type: 'float16' | 'float32') => {
      const tensor = (values: Float32Array, dims: number[]) =>
        type === 'float32' ? new Tensor(type, values, dims) : halfTensor(toHalf(values), dims);
      const timestep = session.inputMetadata.find(({ name }) => name === 'timestep')!;
      const rank = timestep.isTensor ? timestep.shape.length : 0;
      const time = tensor(Float32Array.from([500]), rank === 0 ? [] : [1]);
      const isInt = timestep.isTensor && timestep.type === 'int64';
      const outputs = await session.run({
        sample: tensor(LATENTS, [1, 4, 8, 8]),
        timestep: isInt ? new Tensor('int64', [500n], time.dims) : time,
        encoder_hidden_states: tensor(new Float32Array(77 * 32).fill(0.1), [1, 77, 32]),
      });
      await session.release();
      const { data } = Object.values(outputs)[0]!;
      return data instanceof Uint16Array ? fromHalf(data) : Float32Array.from(data as Float32Array);
    };
    const halves = await run(await InferenceSession.create(path), 'float16');
    const singles = await run(await InferenceSession.create(await single(path)), 'float32');
    expect(singles.length).toBe(halves.length);
    const most = singles.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - halves[i]!)),
      0,
    );
    expect(most).toBeLessThan(0.02);
    expect(most).toBeGreaterThan(0);
  });

  it('refuses what is no graph', async () => {
    const path = join(MODELS, 'tiny-sd/tokenizer/tokenizer.json');
    await expect(upcast(path)).rejects.toBeInstanceOf(NotProtobuf);
  });
});
