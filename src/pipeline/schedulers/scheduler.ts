// What every scheduler is to the denoising loop. One scheduler, one file, readable on its own.

import type { NoiseGenerator } from '../noise/generator.js';

export interface SchedulerStep {
  /** x after the step, same length as the sample */
  readonly previous: Float32Array;
  /** the estimate of x0 made in this step */
  readonly predictedOriginal: Float32Array;
}

/** Multistep history as plain data, so that an interrupted run goes on with the same bits. */
export type SchedulerState = Readonly<
  Record<string, number | null | readonly (Float32Array | null)[]>
>;

/** What a pipeline knows about a run besides the number of steps. */
export interface ScheduleExtras {
  /** tokens of the picture in the transformer, (h / patch) * (w / patch) latents: a dynamic shift needs it */
  readonly imageSequenceLength?: number;
  /** max_shift of a dynamic shift where neither file nor class has one; 1.15, SD3: 1.16 */
  readonly maxShift?: number;
  /** the sigmas before shifting, one per step, where a pipeline sets its own: Flux has 1 to 1 / n, evenly */
  readonly sigmas?: readonly number[];
  /** 0 (nothing drawn; default, as diffusers' pipelines have it) to 1: how random TCD is, its paper's gamma */
  readonly eta?: number;
  /**
   * above 0 to 1, how much of an init image is painted anew, where the pipeline has the scheduler
   * itself leave out the rest: LCM and TCD spread all steps over what is left
   */
  readonly strength?: number;
  /** whether the model predicts a flow; absent: as its own scheduler configuration says */
  readonly flow?: boolean;
}

/** A scheduler made for one run: the number of steps is fixed at creation. */
export interface Scheduler {
  /** for models that predict a flow (epsilon - x0 on straight paths); else epsilon, v or x0 */
  readonly flow: boolean;
  /** one entry per model call, in call order; fractional for Euler with Karras sigmas */
  readonly timesteps: readonly number[];
  /** standard deviation of the initial noise */
  readonly initNoiseSigma: number;
  /**
   * Calls per asked-for step: 1, or 2 for Heun and DPM2 (but for their last step, which is one call).
   * A run may begin at any call that is a multiple of it: a fresh scheduler, x from `addNoise` at
   * that call, then `step` from there on. Image-to-image leaves out the first (n - int(n s)) * order.
   */
  readonly order: number;
  /** whether the schedule leaves out already what `ScheduleExtras.strength` leaves out */
  readonly shortened?: boolean;
  /** the sample as the model wants to see it at call i (Euler divides by sqrt(sigma^2 + 1)) */
  scaleModelInput(sample: Float32Array, i: number): Float32Array;
  /**
   * One update after model call i (0-based).
   * @param modelOutput epsilon, v or sample, as prediction_type says; after guidance
   * @param sample x before the step, unscaled
   * @param noise where ancestral schedulers draw, in diffusers' order; shape is the sample's
   */
  step(
    modelOutput: Float32Array,
    i: number,
    sample: Float32Array,
    noise: NoiseGenerator,
  ): SchedulerStep;
  /** x0 noised to the level that call i expects: how a branch or an init image starts at call i */
  addNoise(original: Float32Array, noise: Float32Array, i: number): Float32Array;
  /** sigma after call i in the k-diffusion sense, where the scheduler has one */
  sigmaAfter(i: number): number | undefined;
  state(): SchedulerState;
  restore(state: SchedulerState): void;
}
