// A Stable Diffusion 1.5-shaped model with random weights, written on the spot for benchmarks: the
// UNet is of the real size; text encoder and VAE decoder are small, since the benchmark is about the
// UNet's share.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOAT, GraphBuilder, INT64 } from './onnx.js';
import { makeUNet, SD15 } from './unet.js';

const CONTEXT = SD15.context;

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
  const large = g.node('Resize', [latents, '', g.scales([1, 1, 8, 8])], {
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
    scheduler: ['diffusers', 'EulerDiscreteScheduler'],
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
    block_out_channels: SD15.widths,
    cross_attention_dim: CONTEXT,
  });
  await json('text_encoder/config.json', { vocab_size: vocabulary, hidden_size: CONTEXT });
  await json('vae_decoder/config.json', {
    _class_name: 'AutoencoderKL',
    block_out_channels: [128, 256, 512, 512],
    latent_channels: 4,
    scaling_factor: 0.18215,
  });
  const parameters = await makeUNet(directory, SD15, 'fp32');
  await textEncoder(vocabulary).save(join(directory, 'text_encoder', 'model.onnx'));
  await vaeDecoder().save(join(directory, 'vae_decoder', 'model.onnx'));
  return parameters;
}
