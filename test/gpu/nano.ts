// A Stable Diffusion model of a few nodes per graph, written on the spot: SwiftShader compiles each
// kind of node for a second or so, and what is tested here is the way to the GPU, not the network.

import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLOAT, FLOAT16, GraphBuilder, INT64 } from '../../bench/support/onnx.js';

const TINY = fileURLToPath(new URL('../fixtures/models/tiny-sd/', import.meta.url));
const WIDTH = 8;
const VOCABULARY = 1024;

/** @param directory where it is written, 64x64 px, 8 px per latent */
export async function makeNano(directory: string, precision: 'fp32' | 'fp16'): Promise<void> {
  const float = precision === 'fp16' ? FLOAT16 : FLOAT;
  for (const part of ['unet', 'text_encoder', 'vae_decoder'])
    await mkdir(join(directory, part), { recursive: true });
  for (const part of ['tokenizer', 'scheduler', 'model_index.json'])
    await cp(join(TINY, part), join(directory, part), { recursive: true });
  const json = (file: string, value: unknown) =>
    writeFile(join(directory, file), JSON.stringify(value));
  await json('unet/config.json', { sample_size: 8, in_channels: 4, block_out_channels: [8, 8] });
  await json('vae_decoder/config.json', {
    block_out_channels: [8, 8, 8, 8],
    latent_channels: 4,
    scaling_factor: 0.5,
  });
  // Without it a decode at load would find out what a preview costs.
  await json('preview.json', {
    latent_rgb_factors: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 0],
    ],
  });
  await textEncoder(float).save(join(directory, 'text_encoder/model.onnx'));
  await unet(float).save(join(directory, 'unet/model.onnx'));
  await vaeDecoder(float).save(join(directory, 'vae_decoder/model.onnx'));
}

function textEncoder(float: number): GraphBuilder {
  const g = new GraphBuilder(float);
  const ids = g.input('input_ids', INT64, ['batch', 'sequence']);
  const states = g.node('Gather', [g.weight([VOCABULARY, WIDTH], 1), ids], { axis: 0 });
  g.output('last_hidden_state', states, ['batch', 'sequence', WIDTH]);
  return g;
}

/** conv(silu(conv(x) + prompt + time / 1000)): words and steps are seen in the picture. */
function unet(float: number): GraphBuilder {
  const g = new GraphBuilder(float);
  const x = g.input('sample', float, ['batch', 4, 'height', 'width']);
  const t = g.input('timestep', float, []);
  const states = g.input('encoder_hidden_states', float, ['batch', 'sequence', WIDTH]);
  const conv = (input: string, from: number, to: number, deviation: number) =>
    g.node('Conv', [input, g.weight([to, from, 3, 3], deviation), g.weight([to], deviation)], {
      kernel_shape: [3, 3],
      pads: [1, 1, 1, 1],
    });
  const prompt = g.node('MatMul', [
    g.node('Transpose', [states], { perm: [0, 2, 1] }),
    g.floats(Array<number>(77).fill(1 / 77), [77, 1]),
  ]);
  const shift = g.node('Unsqueeze', [prompt, g.ints([3])]);
  const time = g.node('Mul', [t, g.floats([0.001])]);
  const hidden = g.node('Add', [g.node('Add', [conv(x, 4, WIDTH, 0.2), shift]), time]);
  const out = conv(g.node('Mul', [hidden, g.node('Sigmoid', [hidden])]), WIDTH, 4, 0.05);
  g.output('out_sample', out, ['batch', 4, 'height', 'width']);
  return g;
}

function vaeDecoder(float: number): GraphBuilder {
  const g = new GraphBuilder(float);
  const x = g.input('latent_sample', float, ['batch', 4, 'height', 'width']);
  const colours = g.node('Conv', [x, g.weight([3, 4, 1, 1], 0.012), g.weight([3], 0.01)], {
    kernel_shape: [1, 1],
  });
  // Eight-fold nearest, without Resize: its scales are float32 in a graph of any precision.
  const blocks = g.node('Unsqueeze', [colours, g.ints([3, 5])]);
  const ones = g.floats(Array<number>(64).fill(1), [1, 1, 1, 8, 1, 8]);
  const large = g.node('Mul', [blocks, ones]);
  const image = g.node('Reshape', [large, g.ints([0, 3, 64, 64])]);
  g.output('sample', image, ['batch', 3, 'image_height', 'image_width']);
  return g;
}
