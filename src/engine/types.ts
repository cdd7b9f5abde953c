// What the rest of the bot knows of an engine: start a run, follow it, end it.

import type {
  EncodedImage,
  EvolutionOptions,
  GenerationParameters,
  InitImage,
  KeptStep,
  ModelInfo,
} from '../pipeline/types.js';

/** How a run begins. Tensors come from the store as fp16 bits. */
export type RunStart =
  | { readonly kind: 'noise' }
  | { readonly kind: 'resume'; readonly checkpoint: Uint8Array }
  | { readonly kind: 'branch'; readonly step: KeptStep; readonly seed: number };

export interface EngineJob {
  /** the generation's id; no two runs of one engine share it */
  readonly id: string;
  readonly parameters: GenerationParameters;
  readonly start: RunStart;
  /** only with `parameters.strength`; a run that goes on from a checkpoint has it still */
  readonly init?: InitImage;
  /** bytes the final file may take at most: the upload limit */
  readonly maxBytes: number;
}

/** A step that has just ended. `kept` and `checkpoint` are to be stored before the next. */
export interface StepReport {
  readonly index: number;
  readonly total: number;
  readonly timestep: number;
  /** ms that the model call and the scheduler took */
  readonly milliseconds: number;
  readonly kept: KeptStep;
  readonly checkpoint: Uint8Array;
}

export interface Preview extends EncodedImage {
  readonly index: number;
  readonly total: number;
}

export interface RunTimings {
  /** ms */
  readonly load: number;
  readonly encode: number;
  readonly unet: readonly number[];
  readonly decode: number;
  readonly file: number;
  readonly total: number;
}

export interface RunResult {
  readonly image: EncodedImage;
  /** steps done; less than `total` when it was stopped */
  readonly index: number;
  readonly total: number;
  readonly stopped: boolean;
  readonly timings: RunTimings;
  /** the A1111 infotext that the PNG carries */
  readonly infotext: string;
}

/** Thrown (as the rejection of `EngineRun.result`) when a run was cancelled. */
export class RunCancelled extends Error {
  constructor(id: string) {
    super(`run ${id} was cancelled`);
    this.name = 'RunCancelled';
  }
}

/** Thrown when the engine process died twice under one run, or does not come back. */
export class EngineDied extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EngineDied';
  }
}

export interface RunHandlers {
  /** called for each step in order; may be called again from a lower index after a restart */
  onStep?(report: StepReport): void;
  /** called when the process died and the run is tried once more */
  onRetry?(fromStep: number): void;
}

export interface EngineRun {
  readonly id: string;
  readonly result: Promise<RunResult>;
  /**
   * The newest picture of the run, encoded in the engine. Resolves when a step newer than the last
   * preview has ended; undefined when the run has ended. One request at a time.
   */
  nextPreview(): Promise<Preview | undefined>;
  /** ends after the current step with its picture */
  stop(): void;
  /** drops the run; `result` rejects with RunCancelled */
  cancel(): void;
}

/** A process that owns an accelerator. One run at a time; evolutions go between steps. */
export interface Engine {
  /** resolves when a model is loaded; rejects with UserError when the directory is at fault */
  readonly ready: Promise<ModelInfo>;
  readonly info: ModelInfo | undefined;
  run(job: EngineJob, handlers?: RunHandlers): EngineRun;
  /** a contact sheet, animation or plot of kept steps, at most `maxBytes` long */
  evolution(
    steps: readonly KeptStep[],
    options: EvolutionOptions,
    maxBytes: number,
  ): Promise<EncodedImage>;
  /** one kept step as a picture */
  picture(step: KeptStep, show: EvolutionOptions['show'], maxBytes: number): Promise<EncodedImage>;
  /** the A1111 parameters in a PNG made by this bot; undefined where it has none */
  readInfotext(png: Uint8Array): Promise<string | undefined>;
  /** ends the process: runs are cancelled; kills it after `graceMs` */
  close(graceMs?: number): Promise<void>;
}
