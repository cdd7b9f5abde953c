// A Stable Diffusion 1.5-shaped model with random weights, written on the spot for benchmarks: the
// UNet has the real widths, depths and attention (860M parameters, as in runwayml's config.json);
// text encoder and VAE decoder are small, since the benchmark is about the UNet's share.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOAT, GraphBuilder, INT64 } from './onnx.js';

const WIDTHS = [320, 640, 1280, 1280] as const;
const CONTEXT = 768;
const HEADS = 8;
const TIME = 1280;

class UNetBuilder {
  readonly g = new GraphBuilder();

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
    const shift = g.node('Unsqueeze', [this.linear(this.silu(time), TIME, to), g.ints([2, 3])]);
    h = g.node('Add', [h, shift]);
    h = this.conv(this.silu(this.groupNorm(h, to)), to, to, 3);
    return g.node('Add', [h, from === to ? x : this.conv(x, from, to, 1)]);
  }

  attention(x: string, context: string, width: number, contextWidth: number): string {
    const { g } = this;
    const size = width / HEADS;
    const heads = (y: string, perm: readonly number[]) =>
      g.node('Transpose', [g.node('Reshape', [y, g.ints([0, -1, HEADS, size])])], { perm });
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

  transformer(x: string, context: string, width: number): string {
    const { g } = this;
    const image = this.conv(this.groupNorm(x, width), width, width, 1);
    const flat = g.node('Reshape', [image, g.ints([0, width, -1])]);
    let tokens = g.node('Transpose', [flat], { perm: [0, 2, 1] });
    const self = this.layerNorm(tokens, width);
    tokens = g.node('Add', [tokens, this.attention(self, self, width, width)]);
    const cross = this.layerNorm(tokens, width);
    tokens = g.node('Add', [tokens, this.attention(cross, context, width, CONTEXT)]);
    tokens = g.node('Add', [tokens, this.feedForward(this.layerNorm(tokens, width), width)]);
    const back = g.node('Reshape', [
      g.node('Transpose', [tokens], { perm: [0, 2, 1] }),
      g.node('Shape', [image]),
    ]);
    return g.node('Add', [this.conv(back, width, width, 1), x]);
  }

  upsample(x: string, width: number): string {
    const { g } = this;
    const scales = g.floats([1, 1, 2, 2], [4]);
    const large = g.node('Resize', [x, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
    return this.conv(large, width, width, 3);
  }

  /** sinusoidal embedding of width 320 (cosines first), then two linear layers */
  time(timestep: string): string {
    const { g } = this;
    const half = WIDTHS[0] / 2;
    const frequencies = Array.from({ length: half }, (_, i) =>
      Math.exp((-Math.log(10000) * i) / half),
    );
    const angles = g.node('Mul', [
      g.node('Reshape', [timestep, g.ints([-1, 1])]),
      g.floats(frequencies, [1, half]),
    ]);
    const embedding = g.node('Concat', [g.node('Cos', [angles]), g.node('Sin', [angles])], {
      axis: 1,
    });
    return this.linear(this.silu(this.linear(embedding, WIDTHS[0], TIME)), TIME, TIME);
  }

  build(): void {
    const { g } = this;
    const sample = g.input('sample', FLOAT, ['batch', 4, 'height', 'width']);
    const timestep = g.input('timestep', FLOAT, []);
    const context = g.input('encoder_hidden_states', FLOAT, ['batch', 'sequence', CONTEXT]);
    const time = this.time(timestep);

    let x = this.conv(sample, 4, WIDTHS[0], 3);
    const skips: { name: string; width: number }[] = [{ name: x, width: WIDTHS[0] }];
    let width: number = WIDTHS[0];
    for (const [level, to] of WIDTHS.entries()) {
      for (let layer = 0; layer < 2; layer++) {
        x = this.residual(x, time, width, to);
        if (level < 3) x = this.transformer(x, context, to);
        width = to;
        skips.push({ name: x, width });
      }
      if (level < 3) {
        x = this.conv(x, to, to, 3, 2);
        skips.push({ name: x, width });
      }
    }

    x = this.residual(x, time, width, width);
    x = this.transformer(x, context, width);
    x = this.residual(x, time, width, width);

    for (const [level, to] of [...WIDTHS].reverse().entries()) {
      for (let layer = 0; layer < 3; layer++) {
        const skip = skips.pop()!;
        x = this.residual(
          g.node('Concat', [x, skip.name], { axis: 1 }),
          time,
          width + skip.width,
          to,
        );
        if (level > 0) x = this.transformer(x, context, to);
        width = to;
      }
      if (level < 3) x = this.upsample(x, to);
    }
    x = this.conv(this.silu(this.groupNorm(x, width)), width, 4, 3);
    g.output('out_sample', x, ['batch', 4, 'height', 'width']);
  }
}

const ones = (n: number): number[] => Array<number>(n).fill(1);
const zeros = (n: number): number[] => Array<number>(n).fill(0);

function textEncoder(vocabulary: number): GraphBuilder {
  const g = new GraphBuilder();
  const ids = g.input('input_ids', INT64, ['batch', 'sequence']);
  const embedded = g.node('Gather', [g.weight([vocabulary, CONTEXT], 1), ids], { axis: 0 });
  g.output('last_hidden_state', embedded, ['batch', 'sequence', CONTEXT]);
  return g;
}

function vaeDecoder(): GraphBuilder {
  const g = new GraphBuilder();
  const latents = g.input('latent_sample', FLOAT, ['batch', 4, 'height', 'width']);
  const large = g.node('Resize', [latents, '', g.floats([1, 1, 8, 8], [4])], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
  const image = g.node('Conv', [large, g.weight([3, 4, 1, 1], 0.1), g.weight([3], 0.01)], {
    kernel_shape: [1, 1],
  });
  g.output('sample', image, ['batch', 3, 'image_height', 'image_width']);
  return g;
}

/**
 * Writes the model as a diffusers ONNX directory.
 * @param directory where; about 3.5 GB
 * @param tokenizer a folder with a CLIP tokenizer to copy
 * @param vocabulary its number of tokens
 * @returns the UNet's number of parameters
 */
export async function makeSd15(
  directory: string,
  tokenizer: string,
  vocabulary: number,
): Promise<number> {
  for (const part of ['unet', 'text_encoder', 'vae_decoder', 'scheduler']) {
    await mkdir(join(directory, part), { recursive: true });
  }
  const json = (file: string, value: unknown) =>
    writeFile(join(directory, file), JSON.stringify(value, null, 2));
  await cp(tokenizer, join(directory, 'tokenizer'), { recursive: true });
  await json('model_index.json', {
    _class_name: 'OnnxStableDiffusionPipeline',
    scheduler: ['diffusers', 'PNDMScheduler'],
    text_encoder: ['diffusers', 'OnnxRuntimeModel'],
    tokenizer: ['transformers', 'CLIPTokenizer'],
    unet: ['diffusers', 'OnnxRuntimeModel'],
    vae_decoder: ['diffusers', 'OnnxRuntimeModel'],
  });
  await json('scheduler/scheduler_config.json', {
    _class_name: 'EulerDiscreteScheduler',
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: 'scaled_linear',
    num_train_timesteps: 1000,
    prediction_type: 'epsilon',
    steps_offset: 1,
    timestep_spacing: 'leading',
  });
  await json('unet/config.json', {
    _class_name: 'UNet2DConditionModel',
    sample_size: 32,
    in_channels: 4,
    out_channels: 4,
    block_out_channels: WIDTHS,
    cross_attention_dim: CONTEXT,
  });
  await json('text_encoder/config.json', { vocab_size: vocabulary, hidden_size: CONTEXT });
  await json('vae_decoder/config.json', {
    _class_name: 'AutoencoderKL',
    block_out_channels: [128, 256, 512, 512],
    latent_channels: 4,
    scaling_factor: 0.18215,
  });
  const unet = new UNetBuilder();
  unet.build();
  await unet.g.save(join(directory, 'unet', 'model.onnx'));
  await textEncoder(vocabulary).save(join(directory, 'text_encoder', 'model.onnx'));
  await vaeDecoder().save(join(directory, 'vae_decoder', 'model.onnx'));
  return unet.g.parameters;
}
