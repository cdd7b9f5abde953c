// UNets of Stable Diffusion's shapes with random weights, written on the spot for benchmarks: the
// widths, depths and attention are the real ones (diffusers' config.json of each model), and the
// graph is spelled as exporters spell it, unfused.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOAT, FLOAT16, GraphBuilder } from './onnx.js';

export interface UNetShape {
  /** channels of each level */
  readonly widths: readonly number[];
  /** transformer blocks behind each residual block of a level; 0: no attention there */
  readonly depths: readonly number[];
  /** transformer blocks in the middle */
  readonly middle: number;
  /** attention heads at a width */
  readonly heads: { readonly count: number } | { readonly width: number };
  /** width of the prompt's embeddings */
  readonly context: number;
  /** SDXL's further conditions: a pooled embedding of this width and six sizes */
  readonly pooled?: number;
  /** width of the guidance's embedding, for latent consistency models */
  readonly guidance?: number;
}

/** 860M parameters (runwayml's stable-diffusion-v1-5) */
export const SD15: UNetShape = {
  widths: [320, 640, 1280, 1280],
  depths: [1, 1, 1, 0],
  middle: 1,
  heads: { count: 8 },
  context: 768,
};

/** 2.57B parameters (stabilityai's stable-diffusion-xl-base-1.0) */
export const SDXL: UNetShape = {
  widths: [320, 640, 1280],
  depths: [0, 2, 10],
  middle: 10,
  heads: { width: 64 },
  context: 2048,
  pooled: 1280,
};

/** Quick to make, for trying the benchmark itself. */
export const TINY: UNetShape = {
  widths: [32, 64],
  depths: [1, 0],
  middle: 1,
  heads: { count: 2 },
  context: 32,
  pooled: 32,
};

/** residual blocks of a level on the way down; one more on the way up */
const LAYERS = 2;
/** of each of SDXL's six sizes */
const SIZE_EMBEDDING = 256;
const SIZES = 6;

export class UNetBuilder {
  readonly g: GraphBuilder;
  readonly shape: UNetShape;
  readonly time: number;

  constructor(shape: UNetShape, float: number) {
    this.g = new GraphBuilder(float);
    this.shape = shape;
    this.time = 4 * shape.widths[0]!;
  }

  linear(x: string, from: number, to: number, bias = true): string {
    const y = this.g.node('MatMul', [x, this.g.weight([from, to], 1 / Math.sqrt(from))]);
    return bias ? this.g.node('Add', [y, this.g.weight([to], 0.01)]) : y;
  }

  conv(x: string, from: number, to: number, kernel: number, stride = 1): string {
    const pad = (kernel - 1) / 2;
    const weight = this.g.weight([to, from, kernel, kernel], 1 / Math.sqrt(from * kernel * kernel));
    return this.g.node('Conv', [x, weight, this.g.weight([to], 0.01)], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    });
  }

  silu(x: string): string {
    return this.g.node('Mul', [x, this.g.node('Sigmoid', [x])]);
  }

  groupNorm(x: string, channels: number): string {
    const { g } = this;
    const grouped = g.node('Reshape', [x, g.ints([0, 32, -1])]);
    const normal = g.node(
      'InstanceNormalization',
      [grouped, g.floats(ones(32), [32]), g.floats(zeros(32), [32])],
      {
        epsilon: { float: 1e-5 },
      },
    );
    const back = g.node('Reshape', [normal, g.node('Shape', [x])]);
    const gain = g.node('Mul', [back, g.weight([channels, 1, 1], 'ones')]);
    return g.node('Add', [gain, g.weight([channels, 1, 1], 0.01)]);
  }

  layerNorm(x: string, width: number): string {
    return this.g.node(
      'LayerNormalization',
      [x, this.g.weight([width], 'ones'), this.g.weight([width], 0.01)],
      {
        axis: -1,
        epsilon: { float: 1e-5 },
      },
    );
  }

  residual(x: string, time: string, from: number, to: number): string {
    const { g } = this;
    let h = this.conv(this.silu(this.groupNorm(x, from)), from, to, 3);
    const shift = g.node('Unsqueeze', [
      this.linear(this.silu(time), this.time, to),
      g.ints([2, 3]),
    ]);
    h = g.node('Add', [h, shift]);
    h = this.conv(this.silu(this.groupNorm(h, to)), to, to, 3);
    return g.node('Add', [h, from === to ? x : this.conv(x, from, to, 1)]);
  }

  attention(x: string, context: string, width: number, contextWidth: number): string {
    const { g } = this;
    const { heads: given } = this.shape;
    const count = 'count' in given ? given.count : width / given.width;
    const size = width / count;
    const heads = (y: string, perm: readonly number[]) =>
      g.node('Transpose', [g.node('Reshape', [y, g.ints([0, -1, count, size])])], { perm });
    const q = heads(this.linear(x, width, width, false), [0, 2, 1, 3]);
    const k = heads(this.linear(context, contextWidth, width, false), [0, 2, 3, 1]);
    const v = heads(this.linear(context, contextWidth, width, false), [0, 2, 1, 3]);
    const scores = g.node('Mul', [g.node('MatMul', [q, k]), g.floats([1 / Math.sqrt(size)])]);
    const mixed = g.node('MatMul', [g.node('Softmax', [scores], { axis: -1 }), v]);
    const joined = g.node('Reshape', [
      g.node('Transpose', [mixed], { perm: [0, 2, 1, 3] }),
      g.ints([0, -1, width]),
    ]);
    return this.linear(joined, width, width);
  }

  feedForward(x: string, width: number): string {
    const { g } = this;
    const [value, gate] = g.split('Split', [this.linear(x, width, 8 * width)], 2, { axis: -1 });
    const erf = g.node('Erf', [g.node('Mul', [gate!, g.floats([Math.SQRT1_2])])]);
    const gelu = g.node('Mul', [
      g.node('Mul', [gate!, g.floats([0.5])]),
      g.node('Add', [erf, g.floats([1])]),
    ]);
    return this.linear(g.node('Mul', [value!, gelu]), 4 * width, width);
  }

  transformer(x: string, context: string, width: number, depth: number): string {
    const { g } = this;
    const image = this.conv(this.groupNorm(x, width), width, width, 1);
    const flat = g.node('Reshape', [image, g.ints([0, width, -1])]);
    const entered = g.node('Transpose', [flat], { perm: [0, 2, 1] });
    const tokens = this.blocks(entered, context, width, depth);
    const back = g.node('Reshape', [
      g.node('Transpose', [tokens], { perm: [0, 2, 1] }),
      g.node('Shape', [image]),
    ]);
    return g.node('Add', [this.conv(back, width, width, 1), x]);
  }

  /** tokens [N, S, width] that attend to each other and to the context, `depth` times */
  blocks(x: string, context: string, width: number, depth: number): string {
    const { g } = this;
    let tokens = x;
    for (let block = 0; block < depth; block++) {
      const self = this.layerNorm(tokens, width);
      tokens = g.node('Add', [tokens, this.attention(self, self, width, width)]);
      const cross = this.layerNorm(tokens, width);
      const attended = this.attention(cross, context, width, this.shape.context);
      tokens = g.node('Add', [tokens, attended]);
      tokens = g.node('Add', [tokens, this.feedForward(this.layerNorm(tokens, width), width)]);
    }
    return tokens;
  }

  upsample(x: string, width: number): string {
    const { g } = this;
    const scales = g.scales([1, 1, 2, 2]);
    const large = g.node('Resize', [x, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    return this.conv(large, width, width, 3);
  }

  /** sinusoids of numbers [N, 1], cosines first: [N, width] */
  sinusoids(numbers: string, width: number): string {
    const { g } = this;
    const half = width / 2;
    const frequencies = Array.from({ length: half }, (_, i) =>
      Math.exp((-Math.log(10000) * i) / half),
    );
    const angles = g.node('Mul', [numbers, g.floats(frequencies, [1, half])]);
    return g.node('Concat', [g.node('Cos', [angles]), g.node('Sin', [angles])], { axis: 1 });
  }

  twoLayers(x: string, from: number): string {
    return this.linear(this.silu(this.linear(x, from, this.time)), this.time, this.time);
  }

  build(): void {
    const { g, shape } = this;
    const { widths, depths, context: contextWidth, pooled } = shape;
    const first = widths[0]!;
    const last = widths.length - 1;
    const sample = g.input('sample', g.float, ['batch', 4, 'height', 'width']);
    const timestep = g.input('timestep', g.float, []);
    const context = g.input('encoder_hidden_states', g.float, ['batch', 'sequence', contextWidth]);
    let step = this.sinusoids(g.node('Reshape', [timestep, g.ints([-1, 1])]), first);
    if (shape.guidance !== undefined) {
      const guidance = g.input('timestep_cond', g.float, ['batch', shape.guidance]);
      step = g.node('Add', [step, this.linear(guidance, shape.guidance, first, false)]);
    }
    let time = this.twoLayers(step, first);
    if (pooled !== undefined) {
      const text = g.input('text_embeds', g.float, ['batch', pooled]);
      const sizes = g.input('time_ids', g.float, ['batch', SIZES]);
      const one = this.sinusoids(g.node('Reshape', [sizes, g.ints([-1, 1])]), SIZE_EMBEDDING);
      const all = g.node('Reshape', [one, g.ints([-1, SIZES * SIZE_EMBEDDING])]);
      const added = g.node('Concat', [text, all], { axis: 1 });
      time = g.node('Add', [time, this.twoLayers(added, pooled + SIZES * SIZE_EMBEDDING)]);
    }

    let x = this.conv(sample, 4, first, 3);
    const skips: { name: string; width: number }[] = [{ name: x, width: first }];
    let width = first;
    for (const [level, to] of widths.entries()) {
      for (let layer = 0; layer < LAYERS; layer++) {
        x = this.residual(x, time, width, to);
        if (depths[level]! > 0) x = this.transformer(x, context, to, depths[level]!);
        width = to;
        skips.push({ name: x, width });
      }
      if (level < last) {
        x = this.conv(x, to, to, 3, 2);
        skips.push({ name: x, width });
      }
    }

    x = this.residual(x, time, width, width);
    x = this.transformer(x, context, width, shape.middle);
    x = this.residual(x, time, width, width);

    for (let level = last; level >= 0; level--) {
      const to = widths[level]!;
      for (let layer = 0; layer <= LAYERS; layer++) {
        const skip = skips.pop()!;
        const joined = g.node('Concat', [x, skip.name], { axis: 1 });
        x = this.residual(joined, time, width + skip.width, to);
        if (depths[level]! > 0) x = this.transformer(x, context, to, depths[level]!);
        width = to;
      }
      if (level > 0) x = this.upsample(x, to);
    }
    x = this.conv(this.silu(this.groupNorm(x, width)), width, 4, 3);
    g.output('out_sample', x, ['batch', 4, 'height', 'width']);
  }
}

const ones = (n: number): number[] => Array<number>(n).fill(1);
const zeros = (n: number): number[] => Array<number>(n).fill(0);

export function parametersOf(shape: UNetShape): number {
  const unet = new UNetBuilder(shape, FLOAT);
  unet.build();
  return unet.g.parameters;
}

/**
 * Writes `directory`/unet/model.onnx and its weights: 4 bytes per parameter, or 2 in fp16.
 * @returns the number of parameters
 */
export async function makeUNet(
  directory: string,
  shape: UNetShape,
  precision: 'fp32' | 'fp16',
): Promise<number> {
  const folder = join(directory, 'unet');
  await mkdir(folder, { recursive: true });
  const unet = new UNetBuilder(shape, precision === 'fp16' ? FLOAT16 : FLOAT);
  unet.build();
  await unet.g.save(join(folder, 'model.onnx'));
  return unet.g.parameters;
}
