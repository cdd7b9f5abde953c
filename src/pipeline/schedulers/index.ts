// From a parsed scheduler_config.json, and perhaps a name that a user chose, to a scheduler.

import { UserError } from '../../errors.js';
import type { SchedulerName } from '../types.js';
import { SchedulerConfig } from './config.js';
import { ddim } from './ddim.js';
import { dpmSolverMultistep } from './dpmpp-2m.js';
import { euler } from './euler.js';
import { eulerAncestral } from './euler-ancestral.js';
import { flowMatchEuler } from './flow-match-euler.js';
import { lcm } from './lcm.js';
import { pndm } from './pndm.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';

export { parseSchedulerConfig } from './config.js';
export type { ScheduleExtras, Scheduler, SchedulerState, SchedulerStep } from './scheduler.js';

interface SchedulerClass {
  readonly create: (config: SchedulerConfig, steps: number, extras: ScheduleExtras) => Scheduler;
  /** the configuration keys that diffusers' class of this name takes */
  readonly keys: readonly string[];
}

const FORWARD_KEYS = [
  'num_train_timesteps',
  'beta_start',
  'beta_end',
  'beta_schedule',
  'trained_betas',
  'prediction_type',
  'timestep_spacing',
  'steps_offset',
];
const THRESHOLD_KEYS = ['thresholding', 'dynamic_thresholding_ratio', 'sample_max_value'];
const SIGMA_KEYS = ['use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas'];

const CLASSES: Readonly<Record<string, SchedulerClass>> = {
  DDIMScheduler: {
    create: ddim,
    keys: [
      ...FORWARD_KEYS,
      ...THRESHOLD_KEYS,
      'clip_sample',
      'clip_sample_range',
      'set_alpha_to_one',
      'rescale_betas_zero_snr',
    ],
  },
  PNDMScheduler: {
    create: pndm,
    keys: [...FORWARD_KEYS, 'skip_prk_steps', 'set_alpha_to_one'],
  },
  EulerDiscreteScheduler: {
    create: euler,
    keys: [
      ...FORWARD_KEYS,
      ...SIGMA_KEYS,
      'interpolation_type',
      'sigma_min',
      'sigma_max',
      'timestep_type',
      'rescale_betas_zero_snr',
      'final_sigmas_type',
    ],
  },
  EulerAncestralDiscreteScheduler: {
    create: eulerAncestral,
    keys: [...FORWARD_KEYS, 'rescale_betas_zero_snr'],
  },
  DPMSolverMultistepScheduler: {
    create: dpmSolverMultistep,
    keys: [
      ...FORWARD_KEYS,
      ...THRESHOLD_KEYS,
      ...SIGMA_KEYS,
      'solver_order',
      'algorithm_type',
      'solver_type',
      'lower_order_final',
      'euler_at_final',
      'use_lu_lambdas',
      'use_flow_sigmas',
      'flow_shift',
      'final_sigmas_type',
      'lambda_min_clipped',
      'variance_type',
      'rescale_betas_zero_snr',
      'use_dynamic_shifting',
      'time_shift_type',
      // not the class's own, but it heeds them where the file has them
      'sigma_min',
      'sigma_max',
    ],
  },
  LCMScheduler: {
    create: lcm,
    keys: [
      ...FORWARD_KEYS,
      ...THRESHOLD_KEYS,
      'original_inference_steps',
      'clip_sample',
      'clip_sample_range',
      'set_alpha_to_one',
      'timestep_scaling',
      'rescale_betas_zero_snr',
    ],
  },
  FlowMatchEulerDiscreteScheduler: {
    create: flowMatchEuler,
    keys: [
      ...SIGMA_KEYS,
      'num_train_timesteps',
      'shift',
      'use_dynamic_shifting',
      'base_shift',
      'max_shift',
      'base_image_seq_len',
      'max_image_seq_len',
      'invert_sigmas',
      'shift_terminal',
      'time_shift_type',
      'stochastic_sampling',
      'sigma_min',
      'sigma_max',
    ],
  },
};

/** What diffusers' other schedulers call their own: files carry these along, and they mean nothing here. */
const SISTER_KEYS = new Set([
  ...Object.values(CLASSES).flatMap(({ keys }) => keys),
  'disable_corrector',
  'predict_x0',
  'rho',
  'sigma_data',
  'sigma_schedule',
  'solver_p',
]);

const BY_NAME: Readonly<
  Record<SchedulerName, { readonly className: string; readonly override?: Record<string, unknown> }>
> = {
  DDIM: { className: 'DDIMScheduler' },
  PNDM: { className: 'PNDMScheduler' },
  Euler: { className: 'EulerDiscreteScheduler' },
  'Euler a': { className: 'EulerAncestralDiscreteScheduler' },
  'DPM++ 2M': {
    className: 'DPMSolverMultistepScheduler',
    override: { use_karras_sigmas: false },
  },
  'DPM++ 2M Karras': {
    className: 'DPMSolverMultistepScheduler',
    override: { use_karras_sigmas: true },
  },
  LCM: { className: 'LCMScheduler' },
  'Flow match Euler': { className: 'FlowMatchEulerDiscreteScheduler' },
};

/**
 * The scheduler of a model directory, or the one that a user knows by `name`, made from the same
 * configuration as diffusers' `Class.from_config(pipe.scheduler.config)` makes it: keys that both
 * classes take are kept, keys of other classes fall away.
 *
 * @param config the parsed scheduler_config.json (see `parseSchedulerConfig`)
 * @param steps 1 to num_train_timesteps
 * @param extras what the model's pipeline adds: only flow schedules use it
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
  const chosen = name === undefined ? undefined : BY_NAME[name];
  const className = chosen?.className ?? ownClass(given);
  const schedulerClass = Object.hasOwn(CLASSES, className) ? CLASSES[className] : undefined;
  if (schedulerClass === undefined) {
    throw new UserError(
      'scheduler-class',
      `The scheduler class ${className} is not supported; allowed are ${Object.keys(CLASSES).join(', ')}.`,
      { className },
    );
  }

  // values that diffusers filled in by itself are not the model's: the class's own defaults hold
  const filledIn = given['_use_default_values'];
  const ignored = new Set(Array.isArray(filledIn) ? filledIn : []);
  const entries = Object.entries(given).filter(
    ([key]) => !key.startsWith('_') && !ignored.has(key),
  );
  const values = Object.fromEntries(entries.filter(([key]) => schedulerClass.keys.includes(key)));
  const warnings = entries
    .filter(([key]) => !SISTER_KEYS.has(key))
    .map(
      ([key]) =>
        `The scheduler configuration has a key that is not known and has no effect: ${key}.`,
    );

  const reader = new SchedulerConfig(className, { ...values, ...chosen?.override });
  const trainSteps = reader.integer('num_train_timesteps', 1000, 1, 100_000);
  if (!Number.isInteger(steps) || steps < 1 || steps > trainSteps) {
    throw new UserError(
      'steps-range',
      `The number of steps is ${steps}; allowed are whole numbers from 1 to ${trainSteps}.`,
      { steps, max: trainSteps },
    );
  }
  const scheduler = schedulerClass.create(reader, steps, extras);
  const flow = extras.flow ?? predictsFlow(given);
  if (scheduler.flow !== flow) {
    const what = name ?? className;
    throw new UserError(
      'scheduler-flow',
      flow
        ? `The scheduler ${what} is not for this model, which predicts a flow; allowed are those for flow models, such as Flow match Euler.`
        : `The scheduler ${what} is only for models that predict a flow, which this one does not.`,
      { scheduler: what },
    );
  }
  return { scheduler, warnings };
}

/** Whether a model's own configuration belongs to flow matching. */
function predictsFlow(config: Readonly<Record<string, unknown>>): boolean {
  return (
    config['prediction_type'] === 'flow_prediction' ||
    String(config['_class_name']).startsWith('FlowMatch')
  );
}

/**
 * How a user knows a config's own scheduler: a SchedulerName where there is one ("DPM++ 2M Karras"),
 * that name with its variety ("Euler Karras", "DPM++ 2M SDE"), else the class name.
 */
export function schedulerDisplayName(config: unknown): string {
  const given = readObject(config);
  const className = ownClass(given);
  const karras = given['use_karras_sigmas'] === true ? ' Karras' : '';
  switch (className) {
    case 'DDIMScheduler':
      return 'DDIM';
    case 'PNDMScheduler':
      return 'PNDM';
    case 'LCMScheduler':
      return 'LCM';
    case 'FlowMatchEulerDiscreteScheduler':
      return 'Flow match Euler';
    case 'EulerDiscreteScheduler':
      return `Euler${karras}`;
    case 'EulerAncestralDiscreteScheduler':
      return 'Euler a';
    case 'DPMSolverMultistepScheduler': {
      const algorithm = String(given['algorithm_type'] ?? 'dpmsolver++');
      const plus = algorithm.endsWith('++') || algorithm === 'deis' ? '++' : '';
      const sde = algorithm.startsWith('sde') ? ' SDE' : '';
      return `DPM${plus} ${String(given['solver_order'] ?? 2)}M${sde}${karras}`;
    }
    default:
      return className;
  }
}

function readObject(config: unknown): Readonly<Record<string, unknown>> {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new UserError('scheduler-config', 'The scheduler configuration is not a JSON object.');
  }
  return config as Record<string, unknown>;
}

function ownClass(config: Readonly<Record<string, unknown>>): string {
  const className = config['_class_name'];
  if (typeof className !== 'string') {
    throw new UserError(
      'scheduler-class',
      `The scheduler configuration names no class (_class_name); allowed are ${Object.keys(CLASSES).join(', ')}.`,
    );
  }
  return className;
}
