// Checks what was asked for against what the model can do.

import { UserError } from '../errors.js';
import { listedNames } from './schedulers/names.js';
import {
  type GenerationParameters,
  type InitImage,
  type ModelInfo,
  SCHEDULER_NAMES,
  type Start,
} from './types.js';

export const LIMITS = {
  steps: { min: 1, max: 150 },
  /** 1 and below is none; graphs that take the guidance as an input are given it as it is */
  guidanceScale: { min: 0, max: 30 },
  seed: { min: 0, max: 2 ** 32 - 1 },
  /** px */
  side: { min: 64, max: 2048 },
  promptLength: 6000,
  clipSkip: { min: 0, max: 24 },
} as const;

/** What one host allows: the pipeline's own limits or narrower ones. */
export interface Limits {
  readonly steps: { readonly min: number; readonly max: number };
  /** px */
  readonly side: { readonly min: number; readonly max: number };
}

/**
 * @param limits narrower than the pipeline's where the host wants them so
 * @returns the same parameters
 * @throws UserError that says what is wrong and what is allowed
 */
export function checkParameters(
  parameters: GenerationParameters,
  info: Pick<ModelInfo, 'sizeMultiple'>,
  limits: Limits = LIMITS,
): GenerationParameters {
  integer('seed', parameters.seed, LIMITS.seed);
  integer('steps', parameters.steps, limits.steps);
  const { guidanceScale, scheduler } = parameters;
  const { min, max } = LIMITS.guidanceScale;
  if (!(guidanceScale >= min && guidanceScale <= max)) {
    throw new UserError(
      'bad-guidance',
      `The guidance must be a number from ${min} to ${max}, not ${guidanceScale}.`,
      {
        value: guidanceScale,
        min,
        max,
      },
    );
  }
  checkSize(parameters.width, parameters.height, info.sizeMultiple, limits.side);
  for (const [name, text] of [
    ['prompt', parameters.prompt],
    ['negative prompt', parameters.negativePrompt],
  ] as const) {
    const length = [...text].length;
    if (length > LIMITS.promptLength) {
      throw new UserError(
        'prompt-too-long',
        `The ${name} may have at most ${LIMITS.promptLength} characters; this one has ${length}.`,
        { max: LIMITS.promptLength, length },
      );
    }
  }
  if (scheduler !== undefined && !SCHEDULER_NAMES.includes(scheduler)) {
    throw new UserError(
      'bad-scheduler',
      `There is no scheduler of that name; there are ${listedNames()}.`,
    );
  }
  checkGuides(parameters);
  return parameters;
}

/** What may be left out: strength, clip skip, noise. */
function checkGuides({ strength, clipSkip, noise }: GenerationParameters): void {
  if (strength !== undefined && !(strength > 0 && strength <= 1)) {
    throw new UserError(
      'bad-strength',
      `The strength must be a number above 0 and at most 1, not ${strength}.`,
      { value: strength },
    );
  }
  if (clipSkip !== undefined) integer('clipSkip', clipSkip, LIMITS.clipSkip);
  if (noise !== undefined && noise !== 'cpu' && noise !== 'nv') {
    throw new UserError('bad-noise', 'The noise comes from cpu or nv; there is no other source.');
  }
}

/**
 * Strength and init image belong together; a run that goes on needs only what its checkpoint holds.
 * @throws UserError 'strength-missing' or 'init-missing'
 */
export function checkInit(
  { strength }: GenerationParameters,
  init: InitImage | undefined,
  start: Start | undefined,
): void {
  if (init !== undefined && strength === undefined) {
    throw new UserError(
      'strength-missing',
      'Say how much of the init image is painted anew: a strength above 0 and at most 1.',
    );
  }
  if (init === undefined && strength !== undefined && start === undefined) {
    throw new UserError(
      'init-missing',
      'A strength says how much of an init image is painted anew: give the image too.',
    );
  }
}

/** Steps that a strength leaves to do, in whole ones as diffusers counts them. */
export function stepsLeft(steps: number, strength: number): number {
  return Math.trunc(Math.min(steps * strength, steps));
}

export function strengthTooSmall(steps: number, strength: number): UserError {
  const least = Math.ceil(1 / strength);
  return new UserError(
    'strength-too-small',
    `A strength of ${strength} leaves nothing to do in ${steps === 1 ? '1 step' : `${steps} steps`}; ` +
      `take at least ${least} steps or a greater strength.`,
    { strength, steps, least },
  );
}

/** What a size is chosen by: a model's own, px, and the grid that its sizes lie on. */
export type SizeFacts = Pick<ModelInfo, 'sizeMultiple' | 'defaultWidth' | 'defaultHeight'>;

/** Areas that pass for about the model's own, in parts of it. */
const ABOUT = { min: 0.6, max: 1.5 } as const;
/** Being out of proportion weighs this many times as much as having too many or too few pixels. */
const PROPORTIONS = 10;

/**
 * The size whose proportions come nearest among those of about the model's own number of pixels; both
 * sides are chosen together, for on a coarse grid two rounded ones make other proportions.
 * @param ratio width over height
 * @param side of both, px
 */
export function sizeOfRatio(
  ratio: number,
  { sizeMultiple: multiple, defaultWidth, defaultHeight }: SizeFacts,
  side: Limits['side'] = LIMITS.side,
): { readonly width: number; readonly height: number } {
  const own = defaultWidth * defaultHeight;
  const { least, most } = sideRange(multiple, side);
  let best = { width: least, height: least, isAbout: false, error: Number.POSITIVE_INFINITY };
  for (let width = least; width <= most; width += multiple) {
    // For one width the best is next to the wanted proportions, or next to where areas begin to pass.
    const near = [width / ratio, (ABOUT.min * own) / width, (ABOUT.max * own) / width];
    const heights = near.flatMap((px) => [Math.floor(px / multiple), Math.ceil(px / multiple)]);
    for (const grid of heights.sort((a, b) => a - b)) {
      const height = Math.min(most, Math.max(least, grid * multiple));
      const area = (width * height) / own;
      const isAbout = area >= ABOUT.min && area <= ABOUT.max;
      if (best.isAbout && !isAbout) continue;
      const error =
        PROPORTIONS * Math.abs(Math.log(width / height / ratio)) + Math.abs(Math.log(area));
      if (isAbout === best.isAbout && error >= best.error) continue;
      best = { width, height, isAbout, error };
    }
  }
  return { width: best.width, height: best.height };
}

/** The least and the greatest side that the model paints within the limits, px. */
export function sideRange(multiple: number, side: Limits['side']) {
  const least = Math.ceil(side.min / multiple) * multiple;
  // A model whose smallest picture is larger than what the host allows still paints that one.
  return { least, most: Math.max(least, Math.floor(side.max / multiple) * multiple) };
}

/** Areas up to this many times the model's own are painted as they are. */
const SPARE = 2.25;
/** What whole multiples may change an image's own proportions by, as a logarithm. */
const CROPPED = 0.05;

/**
 * The size to paint an init image at: its own where the model can, down to whole multiples as diffusers
 * takes it, else one of its proportions with about the model's own number of pixels.
 * @param image px
 * @param given sides that are settled already, px
 */
export function sizeLike(
  image: { readonly width: number; readonly height: number },
  info: SizeFacts,
  given: { readonly width?: number | undefined; readonly height?: number | undefined } = {},
): { readonly width: number; readonly height: number } {
  const { sizeMultiple: multiple, defaultWidth, defaultHeight } = info;
  const ratio = image.width / image.height;
  const { least, most } = sideRange(multiple, LIMITS.side);
  const within = (side: number) => Math.min(most, Math.max(least, side));
  const nearest = (side: number) => within(Math.round(side / multiple) * multiple);
  const below = (side: number) => within(Math.floor(side / multiple) * multiple);
  if (given.width !== undefined) {
    return { width: given.width, height: given.height ?? nearest(given.width / ratio) };
  }
  if (given.height !== undefined) {
    return { width: nearest(given.height * ratio), height: given.height };
  }
  const own = defaultWidth * defaultHeight;
  const area = image.width * image.height;
  const same = { width: below(image.width), height: below(image.height) };
  const change = Math.abs(Math.log(same.width / same.height / ratio));
  if (area <= own * SPARE && area >= own / SPARE && change <= CROPPED) return same;
  return sizeOfRatio(ratio, info);
}

const NAMES = { seed: 'seed', steps: 'steps', clipSkip: 'clip skip' } as const;

function integer(
  name: keyof typeof NAMES,
  value: number,
  { min, max }: { min: number; max: number },
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new UserError(
    `bad-${NAMES[name].replace(' ', '-')}`,
    `The ${NAMES[name]} must be a whole number from ${min} to ${max}, not ${value}.`,
    {
      value,
      min,
      max,
    },
  );
}

function checkSize(width: number, height: number, multiple: number, side: Limits['side']): void {
  const { least: min, most: max } = sideRange(multiple, side);
  const fits = (side: number) =>
    Number.isInteger(side) && side >= min && side <= max && side % multiple === 0;
  if (fits(width) && fits(height)) return;
  const near = (side: number) =>
    Math.min(
      max,
      Math.max(min, Math.round((Number.isFinite(side) ? side : min) / multiple) * multiple),
    );
  throw new UserError(
    'bad-size',
    `Width and height must be multiples of ${multiple} from ${min} to ${max} pixels, not ${width}x${height}; ` +
      `the nearest is ${near(width)}x${near(height)}.`,
    { multiple, min, max, width, height, nearWidth: near(width), nearHeight: near(height) },
  );
}
