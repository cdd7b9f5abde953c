// What is refused before anything is painted is what the pipeline would refuse, and no more than that.

import { expect, test } from 'vitest';
import { checkFits, schedulersFor } from '../../src/commands/fitting.js';
import { UserError } from '../../src/errors.js';
import { type BeginOptions, begin } from '../../src/pipeline/begin.js';
import { createScheduler, schedulerDisplayName } from '../../src/pipeline/schedulers/index.js';
import {
  type GenerationParameters,
  SCHEDULER_NAMES,
  type SchedulerName,
} from '../../src/pipeline/types.js';

const parameters = (
  steps: number,
  strength?: number,
  scheduler?: SchedulerName,
): GenerationParameters => ({
  ...{ prompt: '', negativePrompt: '', seed: 1, steps, guidanceScale: 1, width: 16, height: 16 },
  ...(strength === undefined ? {} : { strength }),
  ...(scheduler === undefined ? {} : { scheduler }),
});

/** The identifier of what is refused; undefined for nothing. */
function refused(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.identifier;
    throw error;
  }
}

const CONFIGS = [
  ['sd', { _class_name: 'PNDMScheduler', skip_prk_steps: true }],
  ['sd', { _class_name: 'DDIMScheduler' }],
  ['sdxl', { _class_name: 'EulerDiscreteScheduler' }],
  ['lcm', { _class_name: 'LCMScheduler' }],
  ['sd3', { _class_name: 'FlowMatchEulerDiscreteScheduler' }],
] as const;

test.each(CONFIGS)(
  'schedulers of the other kind are refused, and those alone: %s, %j',
  (family, config) => {
    const model = { family, defaultScheduler: schedulerDisplayName(config) };
    for (const name of SCHEDULER_NAMES) {
      const engine = refused(() => createScheduler(config, 8, name));
      expect(
        refused(() => checkFits(parameters(8, undefined, name), model)),
        name,
      ).toBe(engine);
      expect(schedulersFor(model).includes(name), name).toBe(engine === undefined);
    }
  },
);

test('a flow model whose own scheduler was only told so keeps what may be told so as well', () => {
  const config = {
    _class_name: 'DPMSolverMultistepScheduler',
    prediction_type: 'flow_prediction',
    use_flow_sigmas: true,
  };
  const model = { family: 'sd3', defaultScheduler: schedulerDisplayName(config) };
  expect(() => createScheduler(config, 8, 'UniPC')).not.toThrow();
  expect(() => checkFits(parameters(8, undefined, 'UniPC'), model)).not.toThrow();
});

test.each(CONFIGS)(
  'a strength that leaves no step is refused only where the run would be: %s, %j',
  async (family, config) => {
    const model = { family, defaultScheduler: schedulerDisplayName(config) };
    for (const name of [undefined, ...schedulersFor(model)]) {
      for (const [steps, strength] of [
        [4, 0.01],
        [1, 0.99],
        [4, 0.24],
        [4, 0.25],
        [3, 1],
      ] as const) {
        const asked = parameters(steps, strength, name);
        if (refused(() => checkFits(asked, model)) === undefined) continue;
        const { scheduler } = createScheduler(config, steps, name);
        const family = {} as BeginOptions['family'];
        const run = begin({ family, scheduler, parameters: asked, dims: [1, 4, 2, 2] });
        await expect(run).rejects.toMatchObject({ identifier: 'strength-too-small' });
      }
    }
  },
);

test('the usual schedulers are asked for no run of no steps', () => {
  const model = { family: 'sd', defaultScheduler: 'DDIM' };
  for (const name of [undefined, 'Euler a', 'DPM++ 2M Karras', 'Heun', 'DPM2 a'] as const) {
    expect(() => checkFits(parameters(4, 0.01, name), model)).toThrow(/nothing to do in 4 steps/);
    expect(() => checkFits(parameters(4, 0.25, name), model)).not.toThrow();
  }
  expect(() => checkFits(parameters(1, 0.01), model)).toThrow(/nothing to do in 1 step;/);
  // These do a step all the same.
  expect(() => checkFits(parameters(4, 0.01, 'PNDM'), model)).not.toThrow();
});
