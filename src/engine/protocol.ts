// What the bot process and the engine process say to each other over the IPC channel of
// child_process.fork with serialization 'advanced': typed arrays travel as bytes, never as text.

import { type ErrorContext, UserError } from '../errors.js';
import type {
  EncodedImage,
  EvolutionOptions,
  KeptStep,
  LabelledPicture,
  ModelInfo,
} from '../pipeline/types.js';
import type { Safety } from './settings.js';
import type { EngineJob, Preview, RunResult, RunTimings, StepReport } from './types.js';

/** A model directory as the engine process needs to know it. */
export interface ModelRef {
  readonly directory: string;
  /** of the files that painting loads; at least so much memory it takes */
  readonly bytes: number;
  /** of the files as they are now: a directory that has changed is loaded anew */
  readonly fingerprint: string;
  /** px per latent, as far as its files say it */
  readonly vaeScale: number | undefined;
}

/** Work beside the runs: what needs a model is done between two steps. Answered once. */
export type EngineRequest =
  | {
      readonly kind: 'evolution';
      /** what made the steps; undefined when it is gone */
      readonly model: ModelRef | undefined;
      readonly steps: readonly KeptStep[];
      readonly options: EvolutionOptions;
      readonly maxBytes: number;
    }
  | {
      readonly kind: 'picture';
      readonly model: ModelRef | undefined;
      readonly step: KeptStep;
      readonly show: EvolutionOptions['show'];
      readonly maxBytes: number;
    }
  | {
      readonly kind: 'beside';
      readonly pictures: readonly LabelledPicture[];
      readonly maxBytes: number;
    };

/** What holds for the whole life of an engine process. */
export interface HostOptions {
  /** such as 'cuda' and 'cpu', tried in this order */
  readonly providers: readonly string[];
  readonly threads: number | undefined;
  /** bytes that the loaded models may take together */
  readonly memoryBytes: number;
  /** bytes beyond what the loaded models need at which the process is to be replaced */
  readonly slackBytes: number;
  /** models were seen not to fit beside each other: one at a time is loaded */
  readonly alone: boolean;
  readonly safety: Safety;
}

/**
 * From the bot to the engine. `attempt` names one try of one run: it is new after each restart, so
 * that a late word about an earlier try is known for what it is.
 */
export type ToEngine =
  /** the first message, once */
  | { readonly kind: 'open'; readonly options: HostOptions }
  /** loads a model before anybody asks for its pictures */
  | { readonly kind: 'load'; readonly model: ModelRef }
  | {
      readonly kind: 'generate';
      readonly attempt: number;
      readonly job: EngineJob;
      readonly model: ModelRef;
    }
  /** asks for the newest picture after step `after` (0: any) */
  | { readonly kind: 'preview'; readonly attempt: number; readonly after: number }
  | { readonly kind: 'stop'; readonly attempt: number }
  | { readonly kind: 'cancel'; readonly attempt: number }
  | { readonly kind: 'request'; readonly id: number; readonly request: EngineRequest }
  | { readonly kind: 'ping' }
  /** frees the model and exits */
  | { readonly kind: 'close' };

/** The part of a run's result that the engine knows; the bot adds the times over all tries. */
export interface AttemptResult extends Omit<RunResult, 'timings'> {
  readonly timings: Pick<RunTimings, 'encode' | 'decode' | 'file' | 'graphs'>;
}

/** A step on its way to the bot. */
export interface SentStep {
  readonly report: StepReport;
  /** ms of each bare UNet call of the step: two where guidance is not batched */
  readonly unet: readonly number[];
}

/** From the engine to the bot. */
export type FromEngine =
  | { readonly kind: 'opened' }
  /** from here to 'loaded' or 'unloadable' it may be silent for longer */
  | { readonly kind: 'loading'; readonly directory: string }
  | { readonly kind: 'loaded'; readonly info: ModelInfo; readonly milliseconds: number }
  | { readonly kind: 'unloadable'; readonly directory: string; readonly error: WireError }
  | { readonly kind: 'unloaded'; readonly directory: string }
  /** no model call can succeed in this process any more, which ends now */
  | { readonly kind: 'lost'; readonly provider: string; readonly reason: string }
  /**
   * memory is wanted that only the end of the process gives back: nothing more is done until it is
   * replaced. `crowded`: models that are loaded do not leave enough for each other
   */
  | { readonly kind: 'worn'; readonly bytes: number; readonly crowded: boolean }
  /** the attempt has been taken up: from here on a death counts against its run */
  | { readonly kind: 'started'; readonly attempt: number }
  /** the steps since the last such message, in their order */
  | { readonly kind: 'progress'; readonly attempt: number; readonly steps: readonly SentStep[] }
  | { readonly kind: 'preview'; readonly attempt: number; readonly preview: Preview }
  | { readonly kind: 'done'; readonly attempt: number; readonly result: AttemptResult }
  | { readonly kind: 'failed'; readonly attempt: number; readonly error: WireError }
  /** a cancelled attempt has come to its end: the engine is free */
  | { readonly kind: 'dropped'; readonly attempt: number }
  | {
      readonly kind: 'reply';
      readonly id: number;
      readonly value: EncodedImage;
    }
  | { readonly kind: 'refused'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'pong' };

/** An error on its way: the two kinds stay apart across the border. */
export type WireError =
  | {
      readonly kind: 'user';
      readonly identifier: string;
      readonly message: string;
      readonly context: ErrorContext;
    }
  | {
      readonly kind: 'bug';
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
    };

/** Something unforeseen that was thrown in the engine process; `stack` is the one from there. */
export class EngineFault extends Error {
  constructor(name: string, message: string, stack: string | undefined) {
    super(message);
    this.name = name;
    if (stack !== undefined) this.stack = stack;
  }
}

export function toWire(error: unknown): WireError {
  if (error instanceof UserError) {
    const { identifier, message, context } = error;
    return { kind: 'user', identifier, message, context: { ...context } };
  }
  if (error instanceof Error) {
    return { kind: 'bug', name: error.name, message: error.message, stack: error.stack };
  }
  return { kind: 'bug', name: 'Error', message: String(error), stack: undefined };
}

export function fromWire(error: WireError): UserError | EngineFault {
  return error.kind === 'user'
    ? new UserError(error.identifier, error.message, error.context)
    : new EngineFault(error.name, error.message, error.stack);
}
