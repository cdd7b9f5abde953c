// The denoising loop: from noise to an image, one step at a time, each from the last one alone.

import { serialize } from 'node:v8';
import type { Beginning, Blend, Checkpoint } from './begin.js';
import type { Scheduler } from './schedulers/scheduler.js';
import type { Step } from './types.js';

/** The model's estimate (epsilon, v or x0) after guidance: x_t [1, C, h, w], timestep -> same shape. */
export type NoisePredictor = (sample: Float32Array, timestep: number) => Promise<Float32Array>;

export interface DenoiseOptions {
  readonly scheduler: Scheduler;
  readonly predict: NoisePredictor;
  readonly beginning: Beginning;
  /** [1, C, h, w] */
  readonly dims: readonly number[];
  readonly signal?: AbortSignal;
}

/**
 * For each timestep t that is left: x_{t-1} = step(model(x_t, t), x_t); with a mask, what it keeps is
 * the init image noised to the new level. Steps are counted without those that an init image skips.
 * Consumers do the rest: previews, stopping, keeping steps are not cases in here.
 * @throws the signal's reason between two steps
 */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<Step, void> {
  const { scheduler, predict, beginning, dims, signal } = options;
  const { skipped, noise, blend, extra, ended } = beginning;
  const timesteps = scheduler.timesteps.slice(skipped);
  const total = timesteps.length;
  let { index, x } = beginning;
  if (ended !== undefined) yield finished(index, x, ended);

  for (; index < total; index++) {
    signal?.throwIfAborted();
    const t = timesteps[index]!;
    const call = skipped + index;
    const output = await predict(scheduler.scaleModelInput(x, call), t);
    const { previous, predictedOriginal } = scheduler.step(output, call, x, noise);
    x = previous;
    let original = predictedOriginal;
    if (blend !== undefined) {
      const { image } = blend;
      const last = index === total - 1;
      x = blended(x, last ? image : scheduler.addNoise(image, blend.noise, call + 1), blend);
      original = blended(predictedOriginal, image, blend);
    }
    const step = finished(index + 1, x, original);
    await turn(); // before the step is told: whoever wants no more of them says so in time
    yield step;
  }

  function finished(done: number, latents: Float32Array, predictedOriginal: Float32Array): Step {
    const sigma = scheduler.sigmaAfter(skipped + done - 1);
    // Taken now: the generator moves on with the next step. Tensors are never written into again.
    const state: Checkpoint = {
      skipped,
      index: done,
      latents,
      scheduler: scheduler.state(),
      noise: noise.state(),
      ...(blend !== undefined && { blend }),
      ...(extra !== undefined && { extra }),
      ...(done === total && { predictedOriginal }),
    };
    return {
      index: done,
      total,
      timestep: timesteps[done - 1]!,
      ...(sigma === undefined ? {} : { sigma }),
      latents: { data: latents, dims },
      predictedOriginal: { data: predictedOriginal, dims },
      checkpoint: () => serialize(state),
    };
  }
}

/** `painted` where the mask is white, `kept` where it is black. */
function blended(painted: Float32Array, kept: Float32Array, { mask }: Blend): Float32Array {
  return painted.map((value, i) => (mask[i % mask.length] === 1 ? value : kept[i]!));
}

/** Lets messages and timers have their turn: a model call blocks the thread. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
