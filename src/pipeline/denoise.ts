// The denoising loop: from noise to an image, one step at a time, each from the last one alone.

import { deserialize, serialize } from 'node:v8';
import { UserError } from '../errors.js';
import { createGenerator, type NoiseGenerator, restoreGenerator } from './noise/generator.js';
import type { Scheduler, SchedulerState } from './schedulers/scheduler.js';
import type { FloatTensor, NoiseSource, Start, Step } from './types.js';

/** The model's estimate (epsilon, v or x0) after guidance: x_t [1, C, h, w], timestep -> same shape. */
export type NoisePredictor = (sample: Float32Array, timestep: number) => Promise<Float32Array>;

export interface DenoiseOptions {
  readonly scheduler: Scheduler;
  readonly predict: NoisePredictor;
  readonly seed: number;
  /** where random numbers come from; absent: torch on the CPU */
  readonly source?: NoiseSource | undefined;
  /** [1, C, h, w] */
  readonly dims: readonly number[];
  readonly start?: Start;
  readonly signal?: AbortSignal;
}

interface State {
  /** model calls done */
  readonly index: number;
  readonly latents: Float32Array;
  readonly scheduler: SchedulerState;
  readonly noise: Uint8Array;
  /** of a run that has ended, whose last step is told once more */
  readonly predictedOriginal?: Float32Array;
}

/**
 * x_T ~ N(0, sigma_max^2); for each timestep t: x_{t-1} = step(model(x_t, t), x_t).
 * Consumers do the rest: previews, stopping, keeping steps are not cases in here.
 * @throws the signal's reason between two steps
 */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<Step, void> {
  const { scheduler, predict, dims, signal } = options;
  const { timesteps } = scheduler;
  const total = timesteps.length;
  let { index, x, noise, ended } = begin(options);
  if (ended !== undefined) yield finished(index, x, ended);

  for (; index < total; index++) {
    signal?.throwIfAborted();
    const t = timesteps[index]!;
    const output = await predict(scheduler.scaleModelInput(x, index), t);
    const { previous, predictedOriginal } = scheduler.step(output, index, x, noise);
    x = previous;
    yield finished(index + 1, x, predictedOriginal);
    await turn();
  }

  function finished(done: number, latents: Float32Array, predictedOriginal: Float32Array): Step {
    const sigma = scheduler.sigmaAfter(done - 1);
    // Taken now: the generator and the history move on with the next step.
    const state: State = {
      index: done,
      latents,
      scheduler: scheduler.state(),
      noise: noise.state(),
      ...(done === total && { predictedOriginal }),
    };
    return {
      index: done,
      total,
      timestep: timesteps[done - 1]!,
      ...(sigma === undefined ? {} : { sigma }),
      latents: { data: latents.slice(), dims },
      predictedOriginal: { data: predictedOriginal.slice(), dims },
      checkpoint: () => serialize(state),
    };
  }
}

interface Beginning {
  index: number;
  x: Float32Array;
  noise: NoiseGenerator;
  /** the prediction of the last step, when none is left to do */
  ended?: Float32Array | undefined;
}

function begin({ scheduler, seed, source, dims, start }: DenoiseOptions): Beginning {
  if (start?.kind === 'resume') {
    const state = deserialize(start.checkpoint) as State;
    const length = dims.reduce((product, size) => product * size, 1);
    if (state.latents.length !== length || state.index > scheduler.timesteps.length) {
      throw new UserError(
        'bad-checkpoint',
        'The stored state belongs to a picture of another size.',
      );
    }
    scheduler.restore(state.scheduler);
    return {
      index: state.index,
      x: state.latents,
      noise: restoreGenerator(state.noise),
      ended: state.predictedOriginal,
    };
  }
  if (start?.kind === 'branch') {
    const { fromStep, predictedOriginal } = start;
    if (
      !(Number.isInteger(fromStep) && fromStep >= 1 && fromStep < scheduler.timesteps.length) ||
      !sameSize(predictedOriginal, dims)
    ) {
      throw new UserError(
        'bad-branch',
        `A branch can start after steps 1 to ${scheduler.timesteps.length - 1}, with the size of its parent.`,
      );
    }
    const noise = createGenerator(source, start.seed);
    const fresh = noise.randn(dims);
    return {
      index: fromStep,
      x: scheduler.addNoise(predictedOriginal.data, fresh, fromStep),
      noise,
    };
  }
  const noise = createGenerator(source, seed);
  const x = noise.randn(dims);
  // init_noise_sigma is a double times a float32 tensor: one rounding per element.
  return { index: 0, x: x.map((value) => value * scheduler.initNoiseSigma), noise };
}

const sameSize = (tensor: FloatTensor, dims: readonly number[]): boolean =>
  tensor.dims.length === dims.length && tensor.dims.every((size, i) => size === dims[i]);

/** Lets messages and timers have their turn: a model call blocks the thread. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
