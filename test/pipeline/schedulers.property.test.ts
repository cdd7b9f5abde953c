// What holds for every scheduler, whatever its configuration and number of steps.
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { createGenerator, restoreGenerator } from '../../src/pipeline/noise/generator.js';
import { CLASSES } from '../../src/pipeline/schedulers/classes.js';
import { createScheduler } from '../../src/pipeline/schedulers/index.js';
import { parseSchedulerName, splitScheduleName } from '../../src/pipeline/schedulers/names.js';
import { SCHEDULER_NAMES } from '../../src/pipeline/types.js';

const SIZE = 16;
const isFlow = (className: string) => className.startsWith('FlowMatch');

/** Bounded, and different at every timestep, as a model is. */
const model = (x: Float32Array, t: number) =>
  x.map((value, j) => Math.tanh(value) + Math.sin(t + j) / 10);

const flags = (...keys: string[]) =>
  fc.record(Object.fromEntries(keys.map((key) => [key, fc.boolean()])), { requiredKeys: [] });

/** Configurations that make sense: each class reads what it knows. */
const sane = fc
  .record({
    className: fc.constantFrom(...Object.keys(CLASSES)),
    common: fc.record(
      {
        beta_start: fc.double({ min: 1e-4, max: 2e-3, noNaN: true }),
        beta_end: fc.double({ min: 0.008, max: 0.02, noNaN: true }),
        beta_schedule: fc.constantFrom('linear', 'scaled_linear', 'squaredcos_cap_v2'),
        num_train_timesteps: fc.integer({ min: 100, max: 1200 }),
        timestep_spacing: fc.constantFrom('linspace', 'leading', 'trailing'),
        steps_offset: fc.constantFrom(0, 1),
        solver_order: fc.integer({ min: 1, max: 3 }),
        solver_type: fc.constantFrom('midpoint', 'heun', 'bh1', 'bh2', 'logrho'),
        final_sigmas_type: fc.constantFrom('zero', 'sigma_min'),
        disable_corrector: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
        shift: fc.double({ min: 0.5, max: 6, noNaN: true }),
      },
      { requiredKeys: [] },
    ),
    toggles: flags(
      'thresholding',
      'clip_sample',
      'lower_order_final',
      'euler_at_final',
      'skip_prk_steps',
      'use_dynamic_shifting',
      'stochastic_sampling',
      'invert_sigmas',
    ),
    sigmas: fc.constantFrom('none', 'karras', 'exponential', 'beta'),
    prediction: fc.constantFrom('epsilon', 'v_prediction'),
  })
  .map(({ className, common, toggles, sigmas, prediction }) => ({
    _class_name: className,
    ...common,
    ...toggles,
    prediction_type: prediction,
    ...(sigmas !== 'none' && { [`use_${sigmas}_sigmas`]: true }),
  }));

const extras = { imageSequenceLength: 1024, eta: 0.3 };

const escaped = (text: string) => text.replace(/[+*?^$()[\]{}|\\.]/g, '\\$&');

describe('any scheduler', () => {
  it('stays finite from its first call to its last, and begins and goes on anywhere alike', () => {
    fc.assert(
      fc.property(
        sane,
        fc.integer({ min: 4, max: 45 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (config, steps, beginning, interruption) => {
          const make = () => createScheduler(config, steps, undefined, extras).scheduler;
          const scheduler = make();
          const calls = scheduler.timesteps.length;
          const { order } = scheduler;
          const begin = Math.floor((beginning * calls) / order) * order;
          const stop = begin + Math.floor(interruption * (calls - begin));

          let generator = createGenerator('cpu', 7);
          const picture = Float32Array.from({ length: SIZE }, (_, j) => Math.cos(j));
          let x = scheduler.addNoise(picture, generator.randn([SIZE]), begin);
          let saved: unknown;
          for (let i = begin; i < calls; i++) {
            if (i === stop) {
              saved = structuredClone({ x, state: scheduler.state(), noise: generator.state() });
            }
            const output = model(scheduler.scaleModelInput(x, i), scheduler.timesteps[i]!);
            const { previous, predictedOriginal } = scheduler.step(output, i, x, generator);
            expect(previous).toHaveLength(SIZE);
            expect(previous.every(Number.isFinite)).toBe(true);
            expect(predictedOriginal.every(Number.isFinite)).toBe(true);
            x = previous;
          }

          const kept = saved as { x: Float32Array; noise: Uint8Array; state: never };
          const again = make();
          again.restore(kept.state);
          generator = restoreGenerator(kept.noise);
          let y = kept.x;
          for (let i = stop; i < calls; i++) {
            const output = model(again.scaleModelInput(y, i), again.timesteps[i]!);
            y = again.step(output, i, y, generator).previous;
          }
          expect(y).toEqual(x);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('visits its timesteps from noise to picture', () => {
    fc.assert(
      fc.property(sane, fc.integer({ min: 4, max: 50 }), (config, steps) => {
        const { scheduler } = createScheduler(config, steps, undefined, extras);
        const { timesteps } = scheduler;
        expect(timesteps.length).toBeGreaterThanOrEqual(steps);
        expect(timesteps.every(Number.isFinite)).toBe(true);
        if (isFlow(config._class_name)) {
          const known = CLASSES[config._class_name]!.keys.includes('invert_sigmas');
          const rising = known && 'invert_sigmas' in config && config.invert_sigmas === true;
          const ordered = [...timesteps].sort((a, b) => (rising ? a - b : b - a));
          expect(timesteps).toEqual(ordered);
        } else if (!/^PNDM|Ancestral/.test(config._class_name)) {
          // PNDM's Runge-Kutta part goes back and forth, and DPM2 a goes further down than its steps
          // end, to come up again with noise. DPM2's own timesteps may be rounded, but not its middles.
          const slack = config._class_name.startsWith('KDPM2') ? 1 : 0;
          for (let i = 1; i < timesteps.length; i++) {
            expect(timesteps[i]).toBeLessThanOrEqual(timesteps[i - 1]! + slack);
          }
        }
        expect(scheduler.initNoiseSigma).toBeGreaterThan(0);
      }),
      { numRuns: 400 },
    );
  });

  it('refuses what it cannot use with a sentence, whatever stands in the file', () => {
    const keys = [...new Set(Object.values(CLASSES).flatMap((c) => c.keys))];
    const junk = fc.oneof(
      fc.constantFrom(null, true, false, 0, 1, -1, 1e9, 0.5, '', 'linear', 'zero'),
      fc.constantFrom('epsilon', 'sample', 'flow_prediction', 'sde-dpmsolver++', 'learned_range'),
      fc.double(),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(CLASSES), 'NoScheduler', 'constructor'),
        fc.dictionary(fc.constantFrom(...keys, '__proto__', 'extra'), junk, { maxKeys: 6 }),
        fc.oneof(fc.integer({ min: -2, max: 60 }), fc.double()),
        fc.option(fc.constantFrom(...SCHEDULER_NAMES), { nil: undefined }),
        (className, values, steps, name) => {
          try {
            const config = { ...values, _class_name: className };
            const { scheduler } = createScheduler(config, steps, name, extras);
            const x = new Float32Array(SIZE).fill(0.5);
            scheduler.step(scheduler.scaleModelInput(x, 0), 0, x, createGenerator('cpu', 1));
          } catch (error) {
            if (!(error instanceof UserError)) throw error;
            expect(error.message).toMatch(/^The .*\.$/s);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('a name', () => {
  it('is understood in any case and with any separators', () => {
    const mangled = fc
      .record({
        name: fc.constantFrom(...SCHEDULER_NAMES),
        separator: fc.constantFrom(' ', '_', '-', ''),
        upper: fc.boolean(),
        plus: fc.constantFrom('++', 'pp'),
      })
      .map(({ name, separator, upper, plus }) => {
        const text = name.replaceAll(' ', separator).replaceAll('++', plus);
        return [name, upper ? text.toUpperCase() : text.toLowerCase()] as const;
      });
    fc.assert(fc.property(mangled, ([name, text]) => parseSchedulerName(text) === name));
  });

  it('comes back from the two fields of an infotext', () => {
    for (const name of SCHEDULER_NAMES) {
      const { method, schedule } = splitScheduleName(name);
      expect(parseSchedulerName(method, schedule)).toBe(name);
    }
  });

  it.each([
    ['DPM++ 2M', 'Automatic', 'DPM++ 2M Karras'],
    ['DPM++ 2M', 'Uniform', 'DPM++ 2M'],
    ['DPM++ 2M', undefined, 'DPM++ 2M'],
    ['DPM++ 3M SDE', 'Automatic', 'DPM++ 3M SDE Exponential'],
    ['Euler a', 'Automatic', 'Euler a'],
    ['DPM++ 2M Karras', 'Automatic', 'DPM++ 2M Karras'],
    ['Restart', 'Karras', undefined],
  ])('of A1111, %s with schedule type %s, is %s', (sampler, schedule, name) => {
    expect(parseSchedulerName(sampler, schedule)).toBe(name);
  });

  it('stands in the document, with its class', async () => {
    const text = await readFile(new URL('../../docs/schedulers.md', import.meta.url), 'utf8');
    for (const name of SCHEDULER_NAMES) {
      const { method, schedule } = splitScheduleName(name);
      const row = text
        .split('\n')
        .find((line) => new RegExp(`^\\| ${escaped(method)} [(|]`).test(line));
      expect(row, name).toBeDefined();
      if (schedule !== undefined) expect(row).toContain(schedule);
    }
    for (const className of Object.keys(CLASSES)) expect(text).toContain(className);
  });

  it('makes a scheduler of any model of its kind', () => {
    for (const name of SCHEDULER_NAMES) {
      const flow = name.startsWith('Flow');
      const config = flow
        ? { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 }
        : { _class_name: 'PNDMScheduler', skip_prk_steps: true, beta_schedule: 'scaled_linear' };
      expect(createScheduler(config, 12, name).scheduler.flow).toBe(flow);
    }
  });
});
