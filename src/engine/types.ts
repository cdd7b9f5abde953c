// What the rest of the bot knows of an engine: start a run, follow it, end it.

import type { UserError } from '../errors.js';
import type {
  EncodedImage,
  EvolutionOptions,
  GenerationParameters,
  InitImage,
  KeptStep,
  LabelledPicture,
  ModelFacts,
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
  /** its `model` names the one that paints; absent: the default */
  readonly parameters: GenerationParameters;
  readonly start: RunStart;
  /** only with `parameters.strength`; a run that goes on from a checkpoint has it still */
  readonly init?: InitImage;
  /** the file of the picture that a branch is compared with */
  readonly original?: Uint8Array;
  /** bytes the final file may take at most: the upload limit */
  readonly maxBytes: number;
}

/** A step that has just ended, to be stored before the next, as it is kept, and its checkpoint with it. */
export interface StepReport extends KeptStep {
  /** ms that the model call and the scheduler took */
  readonly milliseconds: number;
  /** absent where a later step, with its own, is told together with this one */
  readonly checkpoint?: Uint8Array;
}

export interface Preview extends EncodedImage {
  readonly index: number;
  readonly total: number;
}

export interface RunTimings {
  /** ms */
  readonly load: number;
  readonly encode: number;
  /** the model's calls; guidance, and schedulers of a higher order, make more than one in a step */
  readonly unet: readonly number[];
  /** steps that were done, without those that an init image or a kept step spared */
  readonly steps: number;
  readonly decode: number;
  readonly file: number;
  /** within the graphs' runs of the last try; pictures that were drawn between its steps count too */
  readonly graphs: number;
  readonly total: number;
}

export interface RunResult {
  readonly image: EncodedImage;
  /** steps done; less than `total` when it was stopped */
  readonly index: number;
  readonly total: number;
  readonly stopped: boolean;
  /**
   * the model's safety checker found something in it: `image` is blurred, and the steps, which are
   * not, are to be shown to nobody
   */
  readonly flagged: boolean;
  /** the share of its pixels, 0 to 1, that look different from the job's original, if it has one of this size */
  readonly changed?: number;
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

/** A model that jobs may name. Its facts are known whether it is loaded or not. */
export interface OfferedModel extends ModelFacts {
  readonly offered: true;
  /** the one for those who name none */
  readonly isDefault: boolean;
  /** an engine has it in memory: the next picture begins at once */
  readonly loaded: boolean;
  /** of its files on disk */
  readonly bytes: number;
  /** 10 hex digits that change when its files do */
  readonly fingerprint: string;
  /** it takes a clip skip */
  readonly skipsClip: boolean;
  /** a picture of its may begin from another */
  readonly takesImages: boolean;
  /** what of the directory has no effect, one sentence each */
  readonly warnings: readonly string[];
}

/** A directory among the models that cannot be painted with. */
export interface DamagedModel {
  readonly offered: false;
  readonly name: string;
  readonly directory: string;
  readonly isDefault: boolean;
  readonly bytes: number;
  /** what is wrong with it, and with which file */
  readonly problem: UserError;
}

export type ModelSummary = OfferedModel | DamagedModel;

/** A process that owns an accelerator. One run at a time; evolutions go between steps. */
export interface Engine {
  /**
   * resolves when the default model was loaded for the first time; rejects with UserError when its
   * directory is at fault
   */
  readonly ready: Promise<ModelInfo>;
  /** the default model, once it was loaded */
  readonly info: ModelInfo | undefined;
  /** all there are, the default first; as they were some seconds ago, empty just after the start */
  readonly models: readonly ModelSummary[];
  /**
   * The model of a name as it is now (not case-sensitive); without a name, the default. Loads nothing.
   * @throws UserError 'model-unknown' naming those there are, 'model-unusable' for a damaged one
   */
  model(name?: string): Promise<OfferedModel>;
  /**
   * @returns the run, whose result rejects with UserError as `model` does, or when its model cannot
   * be loaded; other models stay usable then
   */
  run(job: EngineJob, handlers?: RunHandlers): EngineRun;
  /**
   * A contact sheet, animation or plot of kept steps, at most `maxBytes` long.
   * @param model the name of the one that made the steps; absent: the default. Without it (it is
   * gone, or does not fit in memory beside the run in progress) the steps are drawn the quick way.
   */
  evolution(
    steps: readonly KeptStep[],
    options: EvolutionOptions,
    maxBytes: number,
    model?: string,
  ): Promise<EncodedImage>;
  /** one kept step as a picture */
  picture(
    step: KeptStep,
    show: EvolutionOptions['show'],
    maxBytes: number,
    model?: string,
  ): Promise<EncodedImage>;
  /** finished pictures in one sheet, at most `maxBytes` long; needs no model */
  beside(pictures: readonly LabelledPicture[], maxBytes: number): Promise<EncodedImage>;
  /** ends the process: runs are cancelled; kills it after `graceMs` */
  close(graceMs?: number): Promise<void>;
}
