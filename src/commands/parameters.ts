// From what a person typed to parameters that the model can paint, and back to those of a picture.

import { randomInt } from 'node:crypto';
import { UserError } from '../errors.js';
// The file itself, not the pipeline's index: this process must not load onnxruntime.
import { checkParameters } from '../pipeline/parameters.js';
import {
  type GenerationParameters,
  type ModelInfo,
  SCHEDULER_NAMES,
  type SchedulerName,
} from '../pipeline/types.js';

/** What may be given; all else comes from the model. */
export interface Given {
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  readonly seed?: number | undefined;
  readonly steps?: number | undefined;
  readonly guidanceScale?: number | undefined;
  /** such as 512x768 */
  readonly size?: string | undefined;
  readonly scheduler?: string | undefined;
}

/** 0 to 2^32 - 1 */
export function newSeed(): number {
  return randomInt(2 ** 32);
}

/**
 * Parameters for this model, with its defaults where nothing was given.
 * @throws UserError that names what is out of range
 */
export function parametersFor(given: Given, info: ModelInfo): GenerationParameters {
  const size = given.size === undefined ? undefined : parseSize(given.size, info);
  const scheduler = given.scheduler === undefined ? undefined : parseScheduler(given.scheduler);
  const parameters: GenerationParameters = {
    prompt: given.prompt,
    negativePrompt: given.negativePrompt ?? '',
    seed: given.seed ?? newSeed(),
    steps: given.steps ?? info.defaultSteps,
    guidanceScale: given.guidanceScale ?? info.defaultGuidanceScale,
    width: size?.width ?? info.defaultWidth,
    height: size?.height ?? info.defaultHeight,
    ...(scheduler === undefined ? {} : { scheduler }),
  };
  return checkParameters(parameters, info);
}

/** @throws UserError 'size-format'; `checkParameters` says what the model allows */
function parseSize(text: string, info: ModelInfo): { width: number; height: number } {
  const match = /^\s*(\d{1,5})(?:\s*[x×*]\s*(\d{1,5}))?\s*$/i.exec(text);
  if (match === null) {
    const example = `${info.defaultWidth}x${info.defaultHeight}`;
    throw new UserError(
      'size-format',
      `A size is written as width x height in pixels, such as ${example}.`,
      { example },
    );
  }
  return { width: Number(match[1]), height: Number(match[2] ?? match[1]) };
}

function parseScheduler(text: string): SchedulerName {
  const wanted = text.trim().toLowerCase();
  const name = SCHEDULER_NAMES.find((known) => known.toLowerCase() === wanted);
  if (name === undefined) {
    const names = SCHEDULER_NAMES.join(', ');
    throw new UserError('scheduler-unknown', `There is no such scheduler; there are ${names}.`, {
      names,
    });
  }
  return name;
}

/** Aspect ratios that people ask for, width over height. */
const RATIOS = [1, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16] as const;

/** Sizes of about the model's own number of pixels, the default first. */
export function commonSizes(info: ModelInfo): string[] {
  const area = info.defaultWidth * info.defaultHeight;
  const multiple = info.sizeMultiple;
  const round = (n: number) => Math.max(multiple, Math.round(n / multiple) * multiple);
  const sizes = [`${info.defaultWidth}x${info.defaultHeight}`];
  for (const ratio of RATIOS) {
    sizes.push(`${round(Math.sqrt(area * ratio))}x${round(Math.sqrt(area / ratio))}`);
  }
  return [...new Set(sizes)];
}

/** Accepts 7.5 and 7,5. @throws UserError 'not-a-number' that names the field */
export function parseNumber(text: string, field: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const value = Number(trimmed.replace(',', '.'));
  if (!Number.isFinite(value)) {
    throw new UserError('not-a-number', `${field} must be a number.`, { field });
  }
  return value;
}
