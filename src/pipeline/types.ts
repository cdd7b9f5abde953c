// The words of the pipeline: what is asked for, what one denoising step is, what comes out.

/**
 * Scheduler names as users know them; a schedule of sigmas comes after the method. Each method is
 * among the first 25, which is what a list in Discord holds.
 */
export const SCHEDULER_NAMES = [
  'Euler a',
  'Euler',
  'DPM++ 2M Karras',
  'DPM++ 2M',
  'DPM++ 2M SDE Karras',
  'DPM++ 2M SDE',
  'DPM++ 3M SDE',
  'DPM++ 2S',
  'UniPC',
  'DEIS',
  'Heun',
  'DPM2',
  'DPM2 a',
  'LMS',
  'DDIM',
  'DDPM',
  'PNDM',
  'LCM',
  'TCD',
  'Flow match Euler',
  'Flow match Heun',
  'Euler Karras',
  'Euler Exponential',
  'Euler Beta',
  'DPM++ 2M Exponential',
  'DPM++ 2M Beta',
  'DPM++ 2M SDE Exponential',
  'DPM++ 2M SDE Heun',
  'DPM++ 2M SDE Heun Karras',
  'DPM++ 2M SDE Heun Exponential',
  'DPM++ 3M SDE Karras',
  'DPM++ 3M SDE Exponential',
  'DPM++ 2S Karras',
  'DPM2 Karras',
  'DPM2 a Karras',
  'Heun Karras',
  'LMS Karras',
  'DEIS Karras',
  'UniPC Karras',
] as const;
export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

/** A tensor of float32 in row-major order. Latents are [1, C, h, w]. */
export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Everything that decides a picture besides the model. The same parameters give the same PNG. */
export interface GenerationParameters {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** 0 to 2^32 - 1 */
  readonly seed: number;
  /** 1 to 150 denoising steps asked for */
  readonly steps: number;
  /** 0 to 30; 1 and below is no guidance, but for models that take it as an input */
  readonly guidanceScale: number;
  /** px, a multiple of the model's `sizeMultiple` */
  readonly width: number;
  readonly height: number;
  /** absent: the model's own scheduler_config.json */
  readonly scheduler?: SchedulerName;
  /** the model directory's name; absent: the one that the bot was started with */
  readonly model?: string;
  /** where random numbers come from: torch on the CPU (default) or CUDA's Philox */
  readonly noise?: NoiseSource;
  /** A1111's prompt syntax, `(word:1.3)`, `[word]`, BREAK and chunks beyond the model's length; absent: false, as diffusers */
  readonly weighting?: boolean;
  /** layers of the text encoder left out at its end, as diffusers counts: absent or 0 is none */
  readonly clipSkip?: number;
  /** 0 to 1, how much of an init image is painted anew; only with an init image */
  readonly strength?: number;
}

/** As A1111 names them in the infotext's RNG field: CPU and NV. */
export type NoiseSource = 'cpu' | 'nv';

/** An init image, and the mask that says what of it is painted anew (white) and kept (black). */
export interface InitImage {
  /** an encoded picture: PNG, JPEG, WebP or GIF */
  readonly image: Uint8Array;
  readonly mask?: Uint8Array;
}

/**
 * A branch continues a kept state with new noise: the latents after `fromStep` model steps of the
 * parent are renoised to that step's noise level with noise from `seed`, then denoised to the end.
 */
export interface BranchStart {
  readonly kind: 'branch';
  /** 1 to total - 1 */
  readonly fromStep: number;
  /** predicted original x0 after that step, [1, C, h, w] */
  readonly predictedOriginal: FloatTensor;
  readonly seed: number;
}

/** Goes on exactly where an interrupted run was: bytes from `Step.checkpoint()`. */
export interface ResumeStart {
  readonly kind: 'resume';
  readonly checkpoint: Uint8Array;
}

export type Start = BranchStart | ResumeStart;

/** One finished denoising step. Consumers may keep its tensors, and write into none: the next step reads them. */
export interface Step {
  /** 1 to total */
  readonly index: number;
  /** model calls of the whole run (PNDM: steps + 1) */
  readonly total: number;
  /** the timestep of this model call, 0 to 1000, may be fractional */
  readonly timestep: number;
  /** noise level after the step, in units of the scheduler; absent where it has none */
  readonly sigma?: number;
  /** x after the step, [1, C, h, w] */
  readonly latents: FloatTensor;
  /** the model's estimate of x0 made in this step, [1, C, h, w] */
  readonly predictedOriginal: FloatTensor;
  /** everything needed to go on after this step with the same final bytes; may be called later */
  checkpoint(): Uint8Array;
}

/** 8-bit RGB, row-major, no alpha. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** What the files of a model directory say: known before anything of it is loaded. */
export interface ModelFacts {
  /** the directory's name */
  readonly name: string;
  readonly directory: string;
  readonly family: string;
  readonly precision: string;
  readonly latentChannels: number;
  /** pixels per latent, such as 8 */
  readonly vaeScale: number;
  /** width and height must be multiples of this */
  readonly sizeMultiple: number;
  /** px */
  readonly defaultWidth: number;
  readonly defaultHeight: number;
  readonly defaultSteps: number;
  readonly defaultGuidanceScale: number;
  /** the scheduler of the directory, as a user knows it */
  readonly defaultScheduler: string;
}

/** A provider that was not taken. */
export interface PassedOver {
  readonly name: string;
  /** the end of a sentence, without its point */
  readonly reason: string;
  readonly kind: FailureKind;
}

/** What kept a graph from being loaded or run: too little memory, a device that is gone, or anything else. */
export type FailureKind = 'memory' | 'lost' | 'other';

/** What a loaded model is, for users and for checks. */
export interface ModelInfo extends ModelFacts {
  /** the provider taken, such as 'cpu' */
  readonly provider: string;
  /** of one model call on the CPU; absent for other providers */
  readonly threads?: number;
  /** why each provider before it was not taken */
  readonly providersTried: readonly PassedOver[];
  /** what draws previews: 'decoder', 'linear' or 'vae' */
  readonly previewKind: string;
  readonly warnings: readonly string[];
}

/** How the evolution is laid out. */
export interface EvolutionOptions {
  readonly kind: 'sheet' | 'animation' | 'changes';
  /** 4 to 64 for a sheet; animations take all they are given */
  readonly frames: number;
  readonly order: 'reading' | 'condensing';
  readonly show: 'prediction' | 'latents';
}

/** A finished picture on its way into a sheet of several. */
export interface LabelledPicture {
  readonly file: Uint8Array;
  /** numbers at its top and at its bottom, of digits and `. / %`; empty: none */
  readonly label: string;
  readonly foot: string;
}

/** A kept step as the store holds it: fp16 bits, little endian, [C, h, w]. */
export interface KeptStep {
  readonly index: number;
  readonly total: number;
  readonly timestep: number;
  readonly dims: readonly number[];
  readonly latents: Uint16Array;
  readonly predictedOriginal: Uint16Array;
}

/** An encoded picture ready to be sent. */
export interface EncodedImage {
  readonly bytes: Uint8Array;
  readonly type: 'image/png' | 'image/webp' | 'image/jpeg' | 'image/gif';
  readonly width: number;
  readonly height: number;
}
