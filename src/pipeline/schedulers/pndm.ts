// PNDM: Liu et al., "Pseudo Numerical Methods for Diffusion Models on Manifolds", arXiv 2202.09778.
// Three pseudo Runge-Kutta steps (PRK) of four calls each, then linear multistep (PLMS); Stable
// Diffusion skips the first part and repeats its second timestep instead (skip_prk_steps).

import { alphaAt, forwardProcess } from './betas.js';
import { checkSteps, type SchedulerConfig } from './config.js';
import { mix, mixtureAt, readOriginal } from './estimates.js';
import { combine, divide, f32, sqrt32 } from './math.js';
import type { Scheduler } from './scheduler.js';
import { readSpacing, spacedTimesteps } from './spacing.js';

/** @param steps 1 to num_train_timesteps; at least 4 unless skip_prk_steps is true */
export function pndm(config: SchedulerConfig, steps: number): Scheduler {
  const { trainSteps, alphasCumprod } = forwardProcess(config);
  const predictionType = config.predictionType(['epsilon', 'v_prediction']);
  const skipPrk = config.flag('skip_prk_steps', false);
  // the Runge-Kutta part takes the last four timesteps of the schedule
  if (!skipPrk) checkSteps(steps, 4, trainSteps);
  const finalAlpha = config.flag('set_alpha_to_one', false) ? 1 : alphasCumprod[0]!;
  const stride = Math.floor(trainSteps / steps);
  const falling = spacedTimesteps(
    readSpacing(config, 'leading'),
    trainSteps,
    steps,
    config.integer('steps_offset', 0, 0),
    false,
  );
  const prk = skipPrk ? [] : prkTimesteps(falling, Math.floor(stride / 2));
  const plms = skipPrk ? [...falling.slice(0, 2), ...falling.slice(1)] : falling.slice(3);
  const timesteps = [...prk, ...plms];

  const alphaBefore = (t: number) => (t >= 0 ? alphaAt(alphasCumprod, t) : finalAlpha);

  /** the last model outputs, newest last, at most 4 (the paper's e_t) */
  let ets: Float32Array[] = [];
  /** calls made in this run */
  let counter = 0;
  /** x at the start of a step that takes several calls */
  let start: Float32Array | null = null;
  /** the Runge-Kutta mean so far; null at the start of a step */
  let mean: Float32Array | null = null;

  /** Equation 9: x at t carried to `previous` along one epsilon (or v). */
  function transfer(
    x: Float32Array,
    t: number,
    previous: number,
    output: Float32Array,
  ): Float32Array {
    const a = alphaAt(alphasCumprod, t);
    const aPrevious = alphaBefore(previous);
    const b = f32(1 - a);
    const bPrevious = f32(1 - aPrevious);
    const epsilon =
      predictionType === 'epsilon' ? output : combine([sqrt32(a), output], [sqrt32(b), x]);
    const denominator = f32(f32(a * sqrt32(bPrevious)) + sqrt32(f32(f32(a * b) * aPrevious)));
    const change = divide(combine([f32(aPrevious - a), epsilon]), denominator);
    return combine([sqrt32(f32(aPrevious / a)), x], [-1, change]);
  }

  function stepPrk(output: Float32Array, t: number, sample: Float32Array): Float32Array {
    const phase = counter % 4;
    const previous = t - (phase % 2 === 0 ? Math.floor(stride / 2) : 0);
    let direction = output;
    if (phase === 0) {
      mean = combine([1 / 6, output]);
      ets.push(output);
      start = sample;
    } else if (phase < 3) {
      mean = mean === null ? combine([1 / 3, output]) : combine([1, mean], [1 / 3, output]);
    } else {
      direction = mean === null ? combine([1 / 6, output]) : combine([1, mean], [1 / 6, output]);
      mean = null;
    }
    return transfer(start ?? sample, prk[counter - phase]!, previous, direction);
  }

  function stepPlms(output: Float32Array, t: number, sample: Float32Array): Float32Array {
    // the second call of a run repeats its first step with the mean of both slopes
    if (counter === 1) {
      const x = start ?? sample;
      start = null;
      const slope = divide(combine([1, output], [1, ets.at(-1)!]), 2);
      return transfer(x, t + stride, t, slope);
    }
    ets = [...ets.slice(-3), output];
    if (counter === 0) start = sample;
    return transfer(sample, t, t - stride, adamsBashforth(ets));
  }

  return {
    flow: false,
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,

    step(modelOutput, i, sample) {
      const t = timesteps[i]!;
      const at = mixtureAt(alphaAt(alphasCumprod, t));
      const predictedOriginal = readOriginal(predictionType, modelOutput, sample, at);
      // history outlives the call: the caller may reuse its buffers
      const output = Float32Array.from(modelOutput);
      const x = Float32Array.from(sample);
      const previous = counter < prk.length ? stepPrk(output, t, x) : stepPlms(output, t, x);
      counter++;
      return { previous, predictedOriginal };
    },

    addNoise(original, noise, i) {
      const a = alphaAt(alphasCumprod, timesteps[i]!);
      return mix(original, noise, mixtureAt(a));
    },
    sigmaAfter(i) {
      const a = i + 1 < timesteps.length ? alphaAt(alphasCumprod, timesteps[i + 1]!) : finalAlpha;
      return sqrt32(f32(f32(1 - a) / a));
    },
    state: () => ({ counter, ets: [...ets], start: [start], mean: [mean] }),
    restore(state) {
      const tensors = (key: string) => state[key] as readonly (Float32Array | null)[];
      counter = state.counter as number;
      ets = tensors('ets').filter((e) => e !== null);
      start = tensors('start')[0] ?? null;
      mean = tensors('mean')[0] ?? null;
    },
  };
}

/** The calls of the Runge-Kutta part: t, t - h, t - h, t - 2h for three steps, h half a stride. */
function prkTimesteps(falling: readonly number[], half: number): number[] {
  const grid = falling
    .slice(0, 4)
    .reverse()
    .flatMap((t) => [t, t + half])
    .slice(0, -1);
  return grid
    .flatMap((t) => [t, t])
    .slice(1, -1)
    .reverse();
}

/** Adams-Bashforth of order 1 to 4 over the newest outputs (equation 12). */
function adamsBashforth(ets: readonly Float32Array[]): Float32Array {
  const [e1, e2, e3, e4] = [...ets].reverse() as [Float32Array, ...(Float32Array | undefined)[]];
  if (e2 === undefined) return e1;
  if (e3 === undefined) return divide(combine([3, e1], [-1, e2]), 2);
  if (e4 === undefined) return divide(combine([23, e1], [-16, e2], [5, e3]), 12);
  return combine([1 / 24, combine([55, e1], [-59, e2], [37, e3], [-9, e4])]);
}
