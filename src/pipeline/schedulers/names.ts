// The names by which users know schedulers (AUTOMATIC1111's, where it has one), and what they mean in
// diffusers' terms.

import { UserError } from '../../errors.js';
import { SCHEDULER_NAMES, type SchedulerName } from '../types.js';

const SCHEDULES = ['Karras', 'Exponential', 'Beta'] as const;
type Schedule = (typeof SCHEDULES)[number];

/** A name without its schedule of sigmas. */
type Method = SchedulerName extends infer N ? (N extends `${infer M} ${Schedule}` ? M : N) : never;

interface Choice {
  readonly className: string;
  /** what the name decides, whatever the model's file says */
  readonly override: Readonly<Record<string, unknown>>;
}

const of = (className: string, override: Choice['override'] = {}): Choice => ({
  className: `${className}Scheduler`,
  override,
});

const multistep = (algorithm: string, order: number, solver = 'midpoint') =>
  of('DPMSolverMultistep', {
    algorithm_type: algorithm,
    solver_order: order,
    solver_type: solver,
    use_lu_lambdas: false,
  });

const METHODS: Readonly<Record<Method, Choice>> = {
  'Euler a': of('EulerAncestralDiscrete'),
  Euler: of('EulerDiscrete'),
  'DPM++ 2M': multistep('dpmsolver++', 2),
  'DPM++ 2M SDE': multistep('sde-dpmsolver++', 2),
  'DPM++ 2M SDE Heun': multistep('sde-dpmsolver++', 2, 'heun'),
  'DPM++ 3M SDE': multistep('sde-dpmsolver++', 3),
  'DPM++ 2S': of('DPMSolverSinglestep', {
    algorithm_type: 'dpmsolver++',
    solver_order: 2,
    solver_type: 'midpoint',
  }),
  DPM2: of('KDPM2Discrete'),
  'DPM2 a': of('KDPM2AncestralDiscrete'),
  Heun: of('HeunDiscrete'),
  LMS: of('LMSDiscrete'),
  DDIM: of('DDIM'),
  DDPM: of('DDPM'),
  PNDM: of('PNDM'),
  DEIS: of('DEISMultistep', { algorithm_type: 'deis', solver_type: 'logrho' }),
  UniPC: of('UniPCMultistep'),
  LCM: of('LCM'),
  TCD: of('TCD'),
  'Flow match Euler': of('FlowMatchEulerDiscrete'),
  'Flow match Heun': of('FlowMatchHeunDiscrete'),
};

/** A1111's own choice of a schedule where its infotext says "Automatic". */
const AUTOMATIC: Partial<Record<Method, Schedule>> = {
  'DPM++ 2M': 'Karras',
  'DPM++ 2M SDE': 'Exponential',
  'DPM++ 2M SDE Heun': 'Exponential',
  'DPM++ 3M SDE': 'Exponential',
  DPM2: 'Karras',
  'DPM2 a': 'Karras',
};

/** Other spellings: k-diffusion's, ComfyUI's, A1111's older ones. */
const SPELLINGS: Partial<Record<Method, readonly string[]>> = {
  'Euler a': ['euler_ancestral'],
  DPM2: ['kdpm2'],
  'DPM2 a': ['dpm_2_ancestral', 'kdpm2_a'],
  PNDM: ['plms'],
  UniPC: ['uni_pc_bh2'],
};

/** The class that a name stands for, and the keys that it sets in the model's own configuration. */
export function choiceOf(name: SchedulerName): Choice {
  const { method, schedule } = split(name);
  const { className, override } = METHODS[method];
  // the name says which sigmas, so that another schedule in the file does not hold
  const sigmas = Object.fromEntries(
    SCHEDULES.map((s) => [`use_${s.toLowerCase()}_sigmas`, s === schedule]),
  );
  return { className, override: { ...override, ...sigmas } };
}

const split = splitScheduleName<Method>;

/** A name as its method and its schedule of sigmas, as A1111's infotext has them in two fields. */
export function splitScheduleName<M extends string = string>(
  name: string,
): { readonly method: M; readonly schedule: Schedule | undefined } {
  const schedule = SCHEDULES.find((s) => name.endsWith(` ${s}`));
  const method = schedule === undefined ? name : name.slice(0, -schedule.length - 1);
  return { method: method as M, schedule };
}

/** Names in one line, as a sentence about a wrong one needs them: "Euler (+ Karras, Beta), DDIM". */
export function listedNames(names: readonly SchedulerName[] = SCHEDULER_NAMES): string {
  const schedules = new Map<string, string[]>();
  for (const name of names) {
    const { method, schedule } = split(name);
    const known = schedules.get(method) ?? [];
    schedules.set(method, schedule === undefined ? known : [...known, schedule]);
  }
  return [...schedules]
    .map(([method, known]) => (known.length === 0 ? method : `${method} (+ ${known.join(', ')})`))
    .join(', ');
}

/** @param flow whether the model predicts a flow, which the scheduler then is not for; else the reverse */
export function schedulerForOther(scheduler: string, flow: boolean): UserError {
  return new UserError(
    'scheduler-flow',
    flow
      ? `The scheduler ${scheduler} is not for this model, which predicts a flow; allowed are those for flow models, such as Flow match Euler.`
      : `The scheduler ${scheduler} is only for models that predict a flow, which this one does not.`,
    { scheduler },
  );
}

/**
 * The name that a user means: in any case and with any separators, by diffusers' class, or in
 * k-diffusion's spelling (dpmpp_2m_karras, k_euler_a).
 * @param scheduleType A1111's infotext field beside the sampler: Karras, Exponential, Beta, Automatic
 * @returns undefined where there is no such scheduler
 */
export function parseSchedulerName(text: string, scheduleType?: string): SchedulerName | undefined {
  const found = NAMES_BY_SPELLING.get(bare(text));
  if (found === undefined) return undefined;
  const { method, schedule } = split(found);
  if (schedule !== undefined || scheduleType === undefined) return found;
  const asked = bare(scheduleType);
  const wanted =
    asked === 'automatic' ? AUTOMATIC[method] : SCHEDULES.find((s) => s.toLowerCase() === asked);
  return SCHEDULER_NAMES.find((name) => name === `${method} ${wanted}`) ?? found;
}

/** Lower case without separators; "++" and "pp" are one. */
function bare(text: string): string {
  return text
    .toLowerCase()
    .replaceAll('++', 'pp')
    .replaceAll(/[^a-z0-9]/g, '')
    .replace(/^(k|sample)(?=euler|heun|lms|dpm)/, '')
    .replace(/scheduler$/, '');
}

const NAMES_BY_SPELLING = new Map<string, SchedulerName>();
for (const name of SCHEDULER_NAMES) {
  const { method, schedule = '' } = split(name);
  for (const text of [method, METHODS[method].className, ...(SPELLINGS[method] ?? [])]) {
    const spelling = bare(text) + bare(schedule);
    // of several methods of one class, the first is what its name alone means
    if (!NAMES_BY_SPELLING.has(spelling)) NAMES_BY_SPELLING.set(spelling, name);
  }
}

/**
 * How a user knows a class with the keys of a file: a SchedulerName where there is one ("DPM++ 2M
 * Karras"), such a name with its variety ("UniPC Exponential", "DPM 1M"), else the class name.
 */
export function displayName(className: string, keys: Readonly<Record<string, unknown>>): string {
  const schedule = SCHEDULES.find((s) => keys[`use_${s.toLowerCase()}_sigmas`] === true);
  const suffix = schedule === undefined ? '' : ` ${schedule}`;
  const algorithm = String(keys.algorithm_type ?? 'dpmsolver++');
  const plus = algorithm.endsWith('++') || algorithm === 'deis' ? '++' : '';
  const order = String(keys.solver_order ?? 2);
  const sde = algorithm.startsWith('sde') ? ' SDE' : '';
  const heun = sde !== '' && keys.solver_type === 'heun' ? ' Heun' : '';
  if (className === 'DPMSolverMultistepScheduler') {
    return `DPM${plus} ${order}M${sde}${heun}${suffix}`;
  }
  if (className === 'DPMSolverSinglestepScheduler') return `DPM${plus} ${order}S${sde}${suffix}`;
  const twin = className.replace('Parallel', '');
  const known = Object.entries(METHODS).find(([, choice]) => choice.className === twin);
  return known === undefined ? className : `${known[0]}${suffix}`;
}
