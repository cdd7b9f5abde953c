// How a run begins: from noise, from an init image, as a branch of another run, or where it broke off.

import { deserialize } from 'node:v8';
import { UserError } from '../errors.js';
import type { Family } from './families/family.js';
import type { InitPixels } from './image/read.js';
import { createGenerator, type NoiseGenerator, restoreGenerator } from './noise/generator.js';
import { stepsLeft, strengthTooSmall } from './parameters.js';
import type { Scheduler, SchedulerState } from './schedulers/scheduler.js';
import type { BranchStart, FloatTensor, GenerationParameters, Start } from './types.js';

/** What is kept of an init image where its mask is black: put back after every step. */
export interface Blend {
  /** [h * w], 1 where the picture is painted anew and 0 where it is kept */
  readonly mask: Float32Array;
  /** the scaled latents of the init image, [1, C, h, w] */
  readonly image: Float32Array;
  /** what the image is noised with, the same at every step, [1, C, h, w] */
  readonly noise: Float32Array;
}

/** The state before the first step that is still to do. */
export interface Beginning {
  /** model calls of the schedule that this run leaves out at its front */
  readonly skipped: number;
  /** model calls done, without those left out */
  readonly index: number;
  /** x_t, [1, C, h, w] */
  readonly x: Float32Array;
  readonly noise: NoiseGenerator;
  readonly blend?: Blend | undefined;
  /** what an inpainting model sees beside the latents, [1, 1 + C, h, w] */
  readonly extra?: FloatTensor | undefined;
  /** the prediction of the last step, when none is left to do */
  readonly ended?: Float32Array | undefined;
}

/** All that decides the steps to come, as `Step.checkpoint` writes it. */
export interface Checkpoint {
  readonly skipped: number;
  readonly index: number;
  readonly latents: Float32Array;
  readonly scheduler: SchedulerState;
  readonly noise: Uint8Array;
  readonly blend?: Blend | undefined;
  readonly extra?: FloatTensor | undefined;
  /** of a run that has ended, whose last step is told once more */
  readonly predictedOriginal?: Float32Array;
}

export interface BeginOptions {
  readonly family: Pick<Family, 'parts' | 'encode'>;
  readonly scheduler: Scheduler;
  readonly parameters: GenerationParameters;
  /** [1, C, h, w] */
  readonly dims: readonly number[];
  readonly pixels?: InitPixels | undefined;
  readonly start?: Start | undefined;
}

/**
 * @throws UserError when there is no VAE encoder, the strength leaves no step, or a start does not
 *   belong to these parameters
 */
export async function begin(options: BeginOptions): Promise<Beginning> {
  const { start, pixels, parameters, dims, scheduler } = options;
  if (start?.kind === 'resume') return resumed(start.checkpoint, options);
  const skipped = skippedCalls(options);
  const noise = createGenerator(parameters.noise, parameters.seed);
  const guided = pixels === undefined ? undefined : await encoded(options, pixels, noise, skipped);
  if (start?.kind === 'branch') return branched(start, options, skipped, guided);
  if (guided !== undefined) return { skipped, index: 0, noise, ...guided };
  // init_noise_sigma is a double times a float32 tensor: one rounding per element.
  const x = noise.randn(dims).map((value) => value * scheduler.initNoiseSigma);
  return { skipped, index: 0, x, noise };
}

/**
 * Calls that the strength leaves out: n - int(n s) steps of `order` calls, as diffusers counts them;
 * its pipelines of flow models round the other way.
 * @throws UserError 'strength-too-small'
 */
function skippedCalls({ parameters, scheduler, pixels }: BeginOptions): number {
  const { steps, strength } = parameters;
  if (strength === undefined || scheduler.shortened) return 0;
  const skipped = scheduler.flow
    ? Math.trunc(steps - Math.min(steps * strength, steps))
    : steps - stepsLeft(steps, strength);
  // PNDM has a call more than steps, which is left when no step is: diffusers' image-to-image
  // pipelines make it, those with a mask want a step.
  const none = skipped >= steps && pixels?.mask !== undefined;
  if (none || skipped * scheduler.order >= scheduler.timesteps.length)
    throw strengthTooSmall(steps, strength);
  return skipped * scheduler.order;
}

type Guided = Pick<Beginning, 'x' | 'blend' | 'extra'>;

/**
 * An init image as diffusers' image-to-image and inpainting pipelines begin with it, in the order of
 * their random draws: the image's latents, the noise, the masked image's latents.
 */
async function encoded(
  { family, scheduler, parameters, dims }: BeginOptions,
  { image, mask }: InitPixels,
  generator: NoiseGenerator,
  skipped: number,
): Promise<Guided> {
  const { encode, parts } = family;
  if (encode === undefined) {
    throw new UserError(
      'no-vae-encoder',
      'This model cannot begin with an image: its directory has no vae_encoder.',
    );
  }
  const seesMask = parts.inpaintChannels > 0;
  // Painting all of the masked part anew begins with noise alone.
  const pure = mask !== undefined && parameters.strength === 1;
  const latents = pure && seesMask ? undefined : (await encode(image, generator)).data;
  const noise = generator.randn(dims);
  const x =
    pure || latents === undefined
      ? noise.map((value) => value * scheduler.initNoiseSigma)
      : scheduler.addNoise(latents, noise, skipped);
  if (mask === undefined) return { x };
  const small = shrunk(mask, dims);
  if (!seesMask) {
    // diffusers encodes the masked image here too, only to leave it: its draw counts all the same.
    generator.randn(dims);
    return latents === undefined ? { x } : { x, blend: { mask: small, image: latents, noise } };
  }
  const masked = await encode(blackened(image, mask), generator);
  const data = new Float32Array(small.length + masked.data.length);
  data.set(small);
  data.set(masked.data, small.length);
  return { x, extra: { data, dims: [1, 1 + dims[1]!, dims[2]!, dims[3]!] } };
}

/** A mask [1, 1, H, W] at the size of the latents, h * w: the nearest pixel, as torch takes it. */
function shrunk(mask: FloatTensor, dims: readonly number[]): Float32Array {
  const [height, width] = [mask.dims[2]!, mask.dims[3]!];
  const [h, w] = [dims[2]!, dims[3]!];
  return Float32Array.from({ length: h * w }, (_, i) => {
    const y = Math.floor((Math.floor(i / w) * height) / h);
    const x = Math.floor(((i % w) * width) / w);
    return mask.data[y * width + x]!;
  });
}

/** The image with grey (0 of [-1, 1]) where the mask is white. */
function blackened(image: FloatTensor, mask: FloatTensor): FloatTensor {
  const plane = mask.data.length;
  const data = image.data.map((value, i) => (mask.data[i % plane] === 1 ? 0 : value));
  return { data, dims: image.dims };
}

/** x0 of the parent's step, noised anew from the branch's own seed to the level of that step. */
function branched(
  { fromStep, predictedOriginal, seed }: BranchStart,
  { scheduler, dims, parameters }: BeginOptions,
  skipped: number,
  guided: Guided | undefined,
): Beginning {
  const total = scheduler.timesteps.length - skipped;
  if (
    !(Number.isInteger(fromStep) && fromStep >= 1 && fromStep < total) ||
    !sameSize(predictedOriginal, dims)
  ) {
    throw new UserError(
      'bad-branch',
      `A branch can start after steps 1 to ${total - 1}, with the size of its parent.`,
    );
  }
  const generator = createGenerator(parameters.noise, seed);
  const noise = generator.randn(dims);
  // a scheduler that makes two calls a step has no level to begin with between them
  const index = fromStep + ((scheduler.order - (fromStep % scheduler.order)) % scheduler.order);
  return {
    skipped,
    index,
    x: scheduler.addNoise(predictedOriginal.data, noise, skipped + index),
    noise: generator,
    ...(guided?.extra !== undefined && { extra: guided.extra }),
    ...(guided?.blend !== undefined && { blend: { ...guided.blend, noise } }),
  };
}

function resumed(bytes: Uint8Array, { scheduler, dims }: BeginOptions): Beginning {
  const state = deserialize(bytes) as Checkpoint;
  const length = dims.reduce((product, size) => product * size, 1);
  const { skipped = 0, index, latents } = state;
  if (latents.length !== length || skipped + index > scheduler.timesteps.length) {
    throw new UserError('bad-checkpoint', 'The stored state belongs to a picture of another size.');
  }
  scheduler.restore(state.scheduler);
  return {
    skipped,
    index,
    x: latents,
    noise: restoreGenerator(state.noise),
    blend: state.blend,
    extra: state.extra,
    ended: state.predictedOriginal,
  };
}

const sameSize = (tensor: FloatTensor, dims: readonly number[]): boolean =>
  tensor.dims.length === dims.length && tensor.dims.every((size, i) => size === dims[i]);
