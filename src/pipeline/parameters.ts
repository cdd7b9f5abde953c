// Checks what was asked for against what the model can do.

import { UserError } from '../errors.js';
import { type GenerationParameters, type ModelInfo, SCHEDULER_NAMES } from './types.js';

export const LIMITS = {
  steps: { min: 1, max: 150 },
  guidanceScale: { min: 1, max: 30 },
  seed: { min: 0, max: 2 ** 32 - 1 },
  /** px */
  side: { min: 64, max: 2048 },
  promptLength: 6000,
} as const;

/**
 * @returns the same parameters
 * @throws UserError that says what is wrong and what is allowed
 */
export function checkParameters(
  parameters: GenerationParameters,
  info: Pick<ModelInfo, 'sizeMultiple'>,
): GenerationParameters {
  integer('seed', parameters.seed, LIMITS.seed);
  integer('steps', parameters.steps, LIMITS.steps);
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
  checkSize(parameters.width, parameters.height, info.sizeMultiple);
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
      `There is no scheduler of that name; there are ${SCHEDULER_NAMES.join(', ')}.`,
    );
  }
  return parameters;
}

function integer(
  name: 'seed' | 'steps',
  value: number,
  { min, max }: { min: number; max: number },
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new UserError(
    `bad-${name}`,
    `The ${name} must be a whole number from ${min} to ${max}, not ${value}.`,
    {
      value,
      min,
      max,
    },
  );
}

function checkSize(width: number, height: number, multiple: number): void {
  const min = Math.ceil(LIMITS.side.min / multiple) * multiple;
  const max = Math.floor(LIMITS.side.max / multiple) * multiple;
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
