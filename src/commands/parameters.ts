// From what a person typed to parameters that the model can paint, and back to those of a picture.

import { randomInt } from 'node:crypto';
import { capital } from '../discord/texts/index.js';
import { UserError } from '../errors.js';
// The file itself, not the pipeline's index: this process must not load onnxruntime.
import {
  checkParameters,
  LIMITS,
  type Limits,
  sideRange,
  sizeOfRatio,
} from '../pipeline/parameters.js';
import { listedNames, parseSchedulerName } from '../pipeline/schedulers/names.js';
import type {
  GenerationParameters,
  ModelFacts,
  NoiseSource,
  SchedulerName,
} from '../pipeline/types.js';
import { checkFits, schedulersFor } from './fitting.js';
import type { Rules } from './types.js';

/** The pipeline's limits with what the settings allow at most. */
export function limitsWithin(most: { readonly steps: number; readonly side: number }): Limits {
  return {
    steps: { min: LIMITS.steps.min, max: Math.min(LIMITS.steps.max, most.steps) },
    side: { min: LIMITS.side.min, max: Math.min(LIMITS.side.max, most.side) },
  };
}

/** What may be given; all else comes from the model. */
export interface Given {
  /** that somebody chose; absent: the default */
  readonly model?: string | undefined;
  readonly prompt: string;
  readonly negativePrompt?: string | undefined;
  readonly seed?: number | undefined;
  readonly steps?: number | undefined;
  readonly guidanceScale?: number | undefined;
  /** such as 512x768 */
  readonly size?: string | undefined;
  readonly scheduler?: string | undefined;
  /** of an init image that is given as well; above 0 and at most 1 */
  readonly strength?: number | undefined;
  readonly clipSkip?: number | undefined;
  readonly noise?: NoiseSource | undefined;
  readonly weighting?: boolean | undefined;
}

/** 0 to 2^32 - 1 */
export function newSeed(): number {
  return randomInt(2 ** 32);
}

/**
 * Parameters for this model, with its defaults where nothing was given.
 * @throws UserError that names what is out of range
 */
export function parametersFor(
  given: Given,
  info: ModelFacts,
  { limits, ...rules }: Rules,
): GenerationParameters {
  const usual = usualSize(info, limits);
  const size = given.size === undefined ? usual : parseSize(given.size, usual);
  const scheduler =
    given.scheduler === undefined ? undefined : parseScheduler(given.scheduler, info);
  const { strength, clipSkip, noise = rules.noise, weighting = rules.weighting } = given;
  const parameters: GenerationParameters = {
    prompt: given.prompt,
    negativePrompt: given.negativePrompt ?? '',
    seed: given.seed ?? newSeed(),
    steps: given.steps ?? Math.min(info.defaultSteps, limits.steps.max),
    guidanceScale: given.guidanceScale ?? info.defaultGuidanceScale,
    ...size,
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(given.model === undefined ? {} : { model: info.name }),
    ...(strength === undefined ? {} : { strength }),
    ...(clipSkip === undefined ? {} : { clipSkip }),
    ...(noise === 'cpu' ? {} : { noise }),
    ...(weighting ? { weighting } : {}),
  };
  checkParameters(parameters, info, limits);
  checkFits(parameters, info);
  return parameters;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The model's own size, made smaller in its proportions where the limits are below it. */
export function usualSize(info: ModelFacts, { side }: Limits): Size {
  const { defaultWidth, defaultHeight, sizeMultiple } = info;
  const scale = Math.min(1, side.max / Math.max(defaultWidth, defaultHeight));
  if (scale === 1) return { width: defaultWidth, height: defaultHeight };
  const least = Math.ceil(side.min / sizeMultiple) * sizeMultiple;
  const fitted = (length: number) =>
    Math.max(least, Math.floor((length * scale) / sizeMultiple) * sizeMultiple);
  return { width: fitted(defaultWidth), height: fitted(defaultHeight) };
}

/** @throws UserError 'size-format'; `checkParameters` says what the model allows */
function parseSize(text: string, usual: Size): Size {
  const match = /^\s*(\d{1,5})(?:\s*[x×*]\s*(\d{1,5}))?\s*$/i.exec(text);
  if (match === null) {
    const example = `${usual.width}x${usual.height}`;
    throw new UserError(
      'size-format',
      `A size is written as width x height in pixels, such as ${example}.`,
      { example },
    );
  }
  return { width: Number(match[1]), height: Number(match[2] ?? match[1]) };
}

function parseScheduler(text: string, info: ModelFacts): SchedulerName {
  const name = parseSchedulerName(text);
  if (name === undefined) {
    const names = listedNames(schedulersFor(info));
    throw new UserError('scheduler-unknown', `There is no such scheduler; there are ${names}.`, {
      names,
    });
  }
  return name;
}

/** Aspect ratios that people ask for, width over height. */
const RATIOS = [1, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16] as const;

/** Sizes of about the model's own number of pixels and within the limits, the default first. */
export function commonSizes(info: ModelFacts, limits: Limits): string[] {
  const usual = usualSize(info, limits);
  const sizes = [usual, ...RATIOS.map((ratio) => usualSizeOfRatio(ratio, info, limits))];
  return [...new Set(sizes.map(({ width, height }) => `${width}x${height}`))];
}

/** The nearest size that the model paints within the limits, as one writes it. */
export function nearestSize(wanted: Size, info: ModelFacts, limits: Limits): string {
  const fitted = sides(info, limits);
  return `${fitted(wanted.width)}x${fitted(wanted.height)}`;
}

/** Brings a length in px to the nearest that the model paints within the limits. */
function sides({ sizeMultiple: multiple }: ModelFacts, { side }: Limits): (px: number) => number {
  const { least, most } = sideRange(multiple, side);
  return (px) => Math.min(most, Math.max(least, Math.round(px / multiple) * multiple));
}

/** The size of about the usual number of pixels whose width over height comes near `ratio`. */
export function usualSizeOfRatio(ratio: number, info: ModelFacts, limits: Limits): Size {
  const { width: defaultWidth, height: defaultHeight } = usualSize(info, limits);
  const { sizeMultiple } = info;
  return sizeOfRatio(ratio, { sizeMultiple, defaultWidth, defaultHeight }, limits.side);
}

/** Accepts 7.5 and 7,5. @throws UserError 'not-a-number' that names the field */
export function parseNumber(text: string, field: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const value = Number(trimmed.replace(',', '.'));
  if (!Number.isFinite(value)) {
    const name = capital(field);
    throw new UserError('not-a-number', `${name} must be a number.`, { field: name });
  }
  return value;
}
