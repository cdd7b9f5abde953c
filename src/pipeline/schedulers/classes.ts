// diffusers' scheduler classes that are known here: what makes each, and the keys of its file.

import type { SchedulerConfig } from './config.js';
import { ddim } from './ddim.js';
import { ddpm } from './ddpm.js';
import { deis } from './deis.js';
import { dpmSolverMultistep } from './dpm-multistep.js';
import { dpmSolverSinglestep } from './dpm-singlestep.js';
import { dpm2 } from './dpm2.js';
import { dpm2Ancestral } from './dpm2-ancestral.js';
import { edmDpmSolverMultistep, edmEuler } from './edm.js';
import { euler } from './euler.js';
import { eulerAncestral } from './euler-ancestral.js';
import { flowMatchEuler } from './flow-match-euler.js';
import { flowMatchHeun } from './flow-match-heun.js';
import { heun } from './heun.js';
import { lcm } from './lcm.js';
import { lms } from './lms.js';
import { pndm } from './pndm.js';
import type { ScheduleExtras, Scheduler } from './scheduler.js';
import { tcd } from './tcd.js';
import { uniPC } from './unipc.js';

export interface SchedulerClass {
  readonly create: (config: SchedulerConfig, steps: number, extras: ScheduleExtras) => Scheduler;
  /** the configuration keys that the class takes, its own and those it heeds where a file has them */
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
const CLIP_KEYS = ['clip_sample', 'clip_sample_range'];
const DISTILLED_KEYS = [
  ...FORWARD_KEYS,
  ...THRESHOLD_KEYS,
  ...CLIP_KEYS,
  'original_inference_steps',
  'set_alpha_to_one',
  'timestep_scaling',
  'rescale_betas_zero_snr',
];
const SIGMA_KEYS = [
  'use_karras_sigmas',
  'use_exponential_sigmas',
  'use_beta_sigmas',
  'sigma_min',
  'sigma_max',
];
// base_shift and what follows are read by diffusers' pipelines, whatever the class
const SHIFT_KEYS = [
  'use_dynamic_shifting',
  'time_shift_type',
  'base_shift',
  'max_shift',
  'base_image_seq_len',
  'max_image_seq_len',
];
const DPM_KEYS = [
  ...FORWARD_KEYS,
  ...THRESHOLD_KEYS,
  ...SIGMA_KEYS,
  ...SHIFT_KEYS,
  'solver_order',
  'solver_type',
  'lower_order_final',
  'use_flow_sigmas',
  'flow_shift',
];

const EDM_KEYS = [
  'num_train_timesteps',
  'prediction_type',
  'sigma_min',
  'sigma_max',
  'sigma_data',
  'sigma_schedule',
  'rho',
  'final_sigmas_type',
];

const DDIM: SchedulerClass = {
  create: ddim,
  keys: [
    ...FORWARD_KEYS,
    ...THRESHOLD_KEYS,
    ...CLIP_KEYS,
    'set_alpha_to_one',
    'rescale_betas_zero_snr',
  ],
};
const DDPM: SchedulerClass = {
  create: ddpm,
  keys: [
    ...FORWARD_KEYS,
    ...THRESHOLD_KEYS,
    ...CLIP_KEYS,
    'variance_type',
    'rescale_betas_zero_snr',
  ],
};

export const CLASSES: Readonly<Record<string, SchedulerClass>> = {
  DDIMScheduler: DDIM,
  DDPMScheduler: DDPM,
  // made for running many timesteps at once; one by one they are the same
  DDIMParallelScheduler: DDIM,
  DDPMParallelScheduler: DDPM,
  PNDMScheduler: {
    create: pndm,
    keys: [...FORWARD_KEYS, 'skip_prk_steps', 'set_alpha_to_one'],
  },
  LMSDiscreteScheduler: { create: lms, keys: [...FORWARD_KEYS, ...SIGMA_KEYS] },
  EulerDiscreteScheduler: {
    create: euler,
    keys: [
      ...FORWARD_KEYS,
      ...SIGMA_KEYS,
      'interpolation_type',
      'timestep_type',
      'rescale_betas_zero_snr',
      'final_sigmas_type',
    ],
  },
  EulerAncestralDiscreteScheduler: {
    create: eulerAncestral,
    keys: [...FORWARD_KEYS, 'rescale_betas_zero_snr'],
  },
  HeunDiscreteScheduler: { create: heun, keys: [...FORWARD_KEYS, ...SIGMA_KEYS, ...CLIP_KEYS] },
  KDPM2DiscreteScheduler: { create: dpm2, keys: [...FORWARD_KEYS, ...SIGMA_KEYS] },
  KDPM2AncestralDiscreteScheduler: {
    create: dpm2Ancestral,
    keys: [...FORWARD_KEYS, ...SIGMA_KEYS],
  },
  DPMSolverMultistepScheduler: {
    create: dpmSolverMultistep,
    keys: [
      ...DPM_KEYS,
      'algorithm_type',
      'euler_at_final',
      'use_lu_lambdas',
      'final_sigmas_type',
      'lambda_min_clipped',
      'variance_type',
      'rescale_betas_zero_snr',
    ],
  },
  DPMSolverSinglestepScheduler: {
    create: dpmSolverSinglestep,
    keys: [
      ...DPM_KEYS.filter((key) => key !== 'timestep_spacing' && key !== 'steps_offset'),
      'algorithm_type',
      'final_sigmas_type',
      'lambda_min_clipped',
      'variance_type',
    ],
  },
  DEISMultistepScheduler: { create: deis, keys: [...DPM_KEYS, 'algorithm_type'] },
  UniPCMultistepScheduler: {
    create: uniPC,
    keys: [
      ...DPM_KEYS,
      'predict_x0',
      'disable_corrector',
      'solver_p',
      'final_sigmas_type',
      'rescale_betas_zero_snr',
      'shift_terminal',
    ],
  },
  LCMScheduler: {
    create: lcm,
    keys: DISTILLED_KEYS,
  },
  TCDScheduler: {
    create: tcd,
    keys: DISTILLED_KEYS,
  },
  FlowMatchEulerDiscreteScheduler: {
    create: flowMatchEuler,
    keys: [
      ...SIGMA_KEYS,
      ...SHIFT_KEYS,
      'num_train_timesteps',
      'shift',
      'invert_sigmas',
      'shift_terminal',
      'stochastic_sampling',
    ],
  },
  FlowMatchHeunDiscreteScheduler: {
    create: flowMatchHeun,
    keys: ['num_train_timesteps', 'shift'],
  },
  EDMEulerScheduler: { create: edmEuler, keys: EDM_KEYS },
  EDMDPMSolverMultistepScheduler: {
    create: edmDpmSolverMultistep,
    keys: [
      ...EDM_KEYS,
      ...THRESHOLD_KEYS,
      'solver_order',
      'solver_type',
      'algorithm_type',
      'lower_order_final',
      'euler_at_final',
    ],
  },
};

/** Keys of any class: files carry their former class's keys along, and those mean nothing to another. */
export const KNOWN_KEYS: ReadonlySet<string> = new Set(
  Object.values(CLASSES).flatMap(({ keys }) => keys),
);
