// From a parsed scheduler_config.json, and perhaps a name that a user chose, to a scheduler.

import { UserError } from '../../errors.js';
import type { SchedulerName } from '../types.js';
import { CLASSES, KNOWN_KEYS } from './classes.js';
import { checkSteps, SchedulerConfig } from './config.js';
import { choiceOf, displayName, schedulerForOther } from './names.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';

export { parseSchedulerConfig } from './config.js';
export { parseSchedulerName } from './names.js';
export type { ScheduleExtras, Scheduler, SchedulerState, SchedulerStep } from './scheduler.js';

/** Classes of diffusers that cannot be had here, and why. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  DPMSolverSDEScheduler: "its noise is torchsde's Brownian tree",
  CosineDPMSolverMultistepScheduler: "its noise is torchsde's Brownian tree",
};

/**
 * The scheduler of a model directory, or the one that a user knows by `name`, made from the same
 * configuration as diffusers' `Class.from_config(pipe.scheduler.config)` makes it: keys that both
 * classes take are kept, keys of other classes fall away.
 *
 * @param config the parsed scheduler_config.json (see `parseSchedulerConfig`)
 * @param steps 1 to num_train_timesteps
 * @param extras what the model's pipeline adds: sizes and sigmas for flow schedules
 * @returns the scheduler, and one sentence for each key that no scheduler knows
 * @throws UserError for an unknown class, a value out of range, steps the class cannot take, or a
 *   scheduler that is not for what the model predicts
 */
export function createScheduler(
  config: unknown,
  steps: number,
  name?: SchedulerName,
  extras: ScheduleExtras = {},
): { scheduler: Scheduler; warnings: readonly string[] } {
  const given = readObject(config);
  const chosen = name === undefined ? undefined : choiceOf(name);
  const className = chosen?.className ?? ownClass(given);
  const schedulerClass = Object.hasOwn(CLASSES, className) ? CLASSES[className] : undefined;
  if (schedulerClass === undefined) {
    const why = Object.hasOwn(UNSUPPORTED, className) ? ` (${UNSUPPORTED[className]})` : '';
    throw new UserError(
      'scheduler-class',
      `The scheduler class ${className.slice(0, 80)} is not supported${why}; ${allowedClasses()}.`,
      { className },
    );
  }

  // values that diffusers filled in by itself are not the model's: the class's own defaults hold
  const filledIn = given._use_default_values;
  const ignored = new Set(Array.isArray(filledIn) ? filledIn : []);
  const entries = Object.entries(given).filter(
    ([key]) => !key.startsWith('_') && !ignored.has(key),
  );
  const all = { ...Object.fromEntries(entries), ...chosen?.override };
  const values = Object.fromEntries(
    Object.entries(all).filter(([key]) => schedulerClass.keys.includes(key)),
  );
  const warnings = entries
    .filter(([key]) => !KNOWN_KEYS.has(key))
    .map(
      ([key]) =>
        `The scheduler configuration has a key that is not known and has no effect: ${key}.`,
    );

  const reader = new SchedulerConfig(className, values);
  const trainSteps = reader.integer('num_train_timesteps', 1000, 1, 100_000);
  checkSteps(steps, 1, trainSteps);
  const scheduler = schedulerClass.create(reader, steps, extras);
  const flow = extras.flow ?? predictsFlow(given);
  if (scheduler.flow !== flow) {
    throw schedulerForOther(name ?? className, flow);
  }
  checkLevels(scheduler, className, values);
  return { scheduler, warnings };
}

/**
 * Values that are fine each by itself may leave no noise levels: a logarithm of sigma_min 0, say.
 * @throws UserError 'scheduler-config' naming the numbers that have most likely led there
 */
function checkLevels(
  { initNoiseSigma, timesteps, sigmaAfter }: Scheduler,
  className: string,
  values: Readonly<Record<string, unknown>>,
): void {
  const sound =
    [initNoiseSigma, ...timesteps].every(Number.isFinite) &&
    !timesteps.some((_, i) => Number.isNaN(sigmaAfter(i)));
  if (sound) return;
  const suspects = Object.entries(values).filter(
    ([, value]) => typeof value === 'number' && value <= 0,
  );
  const named = suspects.map(([key, value]) => `${key} ${value}`).join(', ');
  throw new UserError(
    'scheduler-config',
    `The scheduler configuration (${className}) leads to noise levels that are no numbers${named && `; look at ${named}`}.`,
    { className },
  );
}

/**
 * What is not known of a model's own scheduler, or why it cannot be had: users may still name another.
 * @param config absent: no file, nothing to say
 */
export function schedulerWarnings(config: unknown): readonly string[] {
  if (config === undefined) return [];
  try {
    // a number of steps that every class can take
    return createScheduler(config, 4).warnings;
  } catch (error) {
    if (error instanceof UserError) return [error.message];
    throw error;
  }
}

/** Whether a model's own configuration belongs to flow matching. */
function predictsFlow(config: Readonly<Record<string, unknown>>): boolean {
  return (
    config.prediction_type === 'flow_prediction' ||
    String(config._class_name).startsWith('FlowMatch')
  );
}

/** How a user knows a config's own scheduler, such as "DPM++ 2M Karras"; else its class name. */
export function schedulerDisplayName(config: unknown): string {
  const given = readObject(config);
  return displayName(ownClass(given), given);
}

function readObject(config: unknown): Readonly<Record<string, unknown>> {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new UserError('scheduler-config', 'The scheduler configuration is not a JSON object.');
  }
  return config as Record<string, unknown>;
}

/** Without the ending that all of them share: two dozen names in one sentence are long enough. */
function allowedClasses(): string {
  const names = Object.keys(CLASSES).map((name) => name.replace(/Scheduler$/, ''));
  return `allowed are, each followed by Scheduler, ${names.join(', ')}`;
}

function ownClass(config: Readonly<Record<string, unknown>>): string {
  const className = config._class_name;
  if (typeof className !== 'string') {
    throw new UserError(
      'scheduler-class',
      `The scheduler configuration names no class (_class_name); ${allowedClasses()}.`,
    );
  }
  return className;
}
