// The schedulers against diffusers (test/fixtures/schedulers/make.py, and other cases by fuzz.py), and
// what they refuse.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.js';
import { TorchGenerator } from '../../src/pipeline/noise/torch.js';
import { forwardProcess } from '../../src/pipeline/schedulers/betas.js';
import { CLASSES } from '../../src/pipeline/schedulers/classes.js';
import { SchedulerConfig } from '../../src/pipeline/schedulers/config.js';
import {
  createScheduler,
  parseSchedulerConfig,
  type Scheduler,
  schedulerDisplayName,
  schedulerWarnings,
} from '../../src/pipeline/schedulers/index.js';
import { betaQuantile, numpyLog32, roundHalfEven } from '../../src/pipeline/schedulers/math.js';
import { choiceOf } from '../../src/pipeline/schedulers/names.js';
import type { SchedulerName } from '../../src/pipeline/types.js';

interface Case {
  readonly steps: number;
  /** the call that an image-to-image run begins with; absent: from noise */
  readonly begin?: number;
  /** sigmas set by the pipeline, 1 to 1 / steps */
  readonly even?: boolean;
  readonly eta?: number;
  /** float32, base64, as the tensors below */
  readonly timesteps: string;
  readonly initNoiseSigma: number;
  readonly middle: string;
  readonly final: string;
  readonly noised: string;
  readonly predictedOriginal?: string;
}
interface Group {
  readonly config: Readonly<Record<string, unknown>>;
  readonly name?: SchedulerName;
  readonly cases: readonly Case[];
}

const fixture = (name: string): unknown =>
  JSON.parse(
    readFileSync(new URL(name, new URL('../fixtures/schedulers/', import.meta.url)), 'utf8'),
  );
const groups = fixture(process.env.YLEM_SCHEDULER_CASES ?? 'parity.json') as Group[];
const alphas = fixture('alphas.json') as { config: Record<string, unknown>; sha256: string }[];

const SIZE = 24;
const f = Math.fround;

function unpack(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

/** The stand-in for a model that make.py uses, with its roundings. */
function model(x: Float32Array, t: number): Float32Array {
  const drift = f(f(0.2) * f(f(t) / 1000));
  return x.map((value, j) => {
    const curve = f(f(0.8) * f(value / f(1 + Math.abs(value))));
    return f(f(curve + drift) + f(f(0.05) * ((j % 7) - 3)));
  });
}

/**
 * Largest difference over the largest magnitude expected. Where x falls from sigma 4096 (zero
 * terminal SNR) to about 1 in one step, float32 itself leaves a few units in the last place of the
 * 4096: two of them at the start level `sigma` do not count as a difference.
 */
function relativeError(actual: Float32Array, expected: Float32Array, sigma: number): number {
  expect(actual.length).toBe(expected.length);
  let scale = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    scale = Math.max(scale, Math.abs(expected[i]!));
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return Math.max(0, worst - sigma * 2 ** -22) / Math.max(scale, 1e-3);
}

function run(
  scheduler: Scheduler,
  generator: TorchGenerator,
  start: Float32Array,
  from: number,
  to: number,
  onStep: (i: number, x: Float32Array, x0: Float32Array) => void = () => {},
): Float32Array {
  let x = start;
  for (let i = from; i < to; i++) {
    const output = model(scheduler.scaleModelInput(x, i), scheduler.timesteps[i]!);
    const { previous, predictedOriginal } = scheduler.step(output, i, x, generator);
    x = previous;
    onStep(i, previous, predictedOriginal);
  }
  return x;
}

/** x before the first call: noise, or a picture noised to the level of call `begin`. */
function startOf(scheduler: Scheduler, generator: TorchGenerator, begin?: number): Float32Array {
  const z = generator.randn([SIZE]);
  return begin === undefined
    ? z.map((x) => x * f(scheduler.initNoiseSigma))
    : scheduler.addNoise(ramp(1, -1), z, begin);
}

/** The scheduler of a case; make.py has the same 1024 tokens where a dynamic shift wants them. */
function schedulerOf({ config, name }: Group, { steps, even, eta }: Case): Scheduler {
  const step = (1 / steps - 1) / (steps - 1);
  const sigmas = Array.from({ length: steps }, (_, i) => (i === 0 ? 1 : i * step + 1));
  const extras = { imageSequenceLength: 1024, ...(even && { sigmas }), ...(eta && { eta }) };
  return createScheduler(config, steps, name, extras).scheduler;
}

const classOf = ({ config, name }: Group) =>
  name === undefined ? String(config._class_name) : choiceOf(name).className;

/**
 * Fractional timesteps go through torch's float32 square root and logarithm, whose last bit differs
 * between CPUs: three units in the last place of 1000. DPM2 a takes the root of a small difference
 * of large squares on the way.
 */
const fractionTolerance = (group: Group) =>
  classOf(group) === 'KDPM2AncestralDiscreteScheduler' ? 0.02 : 3 * 2 ** -14;

/**
 * Of a state, relative. DEIS weighs with differences of nearly equal logarithms in float32; DPM2 a
 * has its inaccurate middle.
 */
const stateTolerance = (group: Group) =>
  /^(DEIS|KDPM2Ancestral)/.test(classOf(group)) ? 2e-4 : 1e-5;

const label = ({ config, name }: Group) => {
  const { _class_name, _diffusers_version, trained_betas, ...rest } = config;
  return `${name ?? 'own'} of ${String(_class_name)} ${JSON.stringify(rest)}${trained_betas ? ' trained' : ''}`;
};

/** torch.linspace(a, b, 24) is not the point here: exact quarters of the same values. */
const ramp = (a: number, b: number) => {
  const step = f(f(b - a) / (SIZE - 1));
  return Float32Array.from({ length: SIZE }, (_, i) =>
    i < SIZE / 2 ? a + step * i : b - step * (SIZE - 1 - i),
  );
};

describe.each(groups.map((g) => [label(g), g] as const))('%s', (_label, group) => {
  const { cases } = group;

  it.each(
    cases.map((c) => [c.steps, c.begin === undefined ? 'noise' : `call ${c.begin}`, c] as const),
  )('does as diffusers in %d steps from %s', (steps, _begin, want) => {
    const scheduler = schedulerOf(group, want);
    const sigma = want.initNoiseSigma;
    const timesteps = unpack(want.timesteps);
    expect(scheduler.timesteps).toHaveLength(timesteps.length);
    for (const [i, t] of timesteps.entries()) {
      const whole = Number.isInteger(t) && Number.isInteger(scheduler.timesteps[i]);
      const tolerance = whole ? 0 : fractionTolerance(group);
      expect(Math.abs(f(scheduler.timesteps[i]!) - t)).toBeLessThanOrEqual(tolerance);
    }
    expect(Math.abs(scheduler.initNoiseSigma / want.initNoiseSigma - 1)).toBeLessThan(1e-6);

    const tolerance = stateTolerance(group);
    const generator = new TorchGenerator(1000 + steps);
    const calls = scheduler.timesteps.length;
    const begin = want.begin ?? 0;
    const middle = begin + Math.floor((calls - begin) / 2);
    const start = startOf(scheduler, generator, want.begin);
    const final = run(scheduler, generator, start, begin, calls, (i, x, x0) => {
      if (i !== middle) return;
      expect(relativeError(x, unpack(want.middle), sigma)).toBeLessThan(tolerance);
      if (want.predictedOriginal !== undefined) {
        expect(relativeError(x0, unpack(want.predictedOriginal), sigma)).toBeLessThan(tolerance);
      }
    });
    expect(relativeError(final, unpack(want.final), sigma)).toBeLessThan(tolerance);
    const noised = scheduler.addNoise(ramp(1, -1), ramp(-2, 2), middle);
    expect(relativeError(noised, unpack(want.noised), sigma)).toBeLessThan(tolerance);
  });

  it('goes on from a saved state with the same bits', () => {
    const chosen = cases.find((c) => c.steps === 13) ?? cases.at(-1)!;
    const begin = chosen.begin ?? 0;
    for (const at of [1, 2, 5, 9].map((n) => begin + n)) {
      const scheduler = schedulerOf(group, chosen);
      const calls = scheduler.timesteps.length;
      if (at >= calls) continue;
      const generator = new TorchGenerator(5);
      const start = startOf(scheduler, generator, chosen.begin);
      const x = run(scheduler, generator, start, begin, at);
      const saved = structuredClone({ state: scheduler.state(), noise: generator.state(), x });
      const whole = run(scheduler, generator, x, at, calls);

      const fresh = schedulerOf(group, chosen);
      fresh.restore(saved.state);
      const resumed = run(fresh, TorchGenerator.from(saved.noise), saved.x, at, calls);
      expect(Buffer.from(resumed.buffer).equals(Buffer.from(whole.buffer))).toBe(true);
    }
  });
});

describe('the forward process', () => {
  it.each(alphas.map((a) => [JSON.stringify(a.config), a] as const))(
    'has the cumulative alphas of torch to the bit: %s',
    (_config, { config, sha256 }) => {
      const { alphasCumprod } = forwardProcess(new SchedulerConfig('DDIMScheduler', config), {
        zeroSnr: true,
      });
      const digest = createHash('sha256')
        .update(new Uint8Array(alphasCumprod.buffer))
        .digest('hex');
      expect(digest).toBe(sha256);
    },
  );
});

describe('numerics', () => {
  it('round halves to the even neighbour', () => {
    expect([0.5, 1.5, 2.5, 2.4, 2.6, 7].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3, 7]);
  });

  // numpy.log of numpy.float32(x) with AVX2; the first three are not the nearest float32
  it.each([
    [2.537104606628418, 0.9310234785079956],
    [21.383127212524414, 3.0626020431518555],
    [5949.61328125, 8.691082000732422],
    [0.16643887758255005, -1.793127179145813],
    [0.7087653279304504, -0.3442308008670807],
    [1, 0],
  ])("take float32 logarithms to numpy's last bit: of %d", (x, logarithm) => {
    expect(numpyLog32(x)).toBe(logarithm);
  });

  it('find quantiles of the beta distribution (a = 1 is uniform, a = 1/2 the arcsine law)', () => {
    for (const p of [0, 1e-6, 0.1, 0.37, 0.5, 0.9, 1]) {
      expect(betaQuantile(p, 1)).toBeCloseTo(p, 12);
      expect(betaQuantile(p, 0.5)).toBeCloseTo(Math.sin((Math.PI * p) / 2) ** 2, 12);
    }
  });
});

describe('a scheduler configuration', () => {
  const base = { _class_name: 'DDIMScheduler', _diffusers_version: '0.42.0' };
  const failure = (action: () => unknown): UserError => {
    try {
      action();
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return error as UserError;
    }
    throw new Error('nothing was thrown');
  };

  it('of an unknown class is refused with the classes there are', () => {
    const error = failure(() => createScheduler({ _class_name: 'ScoreSdeVeScheduler' }, 20));
    expect(error.identifier).toBe('scheduler-class');
    expect(error.message).toContain('ScoreSdeVeScheduler');
    expect(error.message).toMatch(/each followed by Scheduler, .*\bEulerDiscrete\b/);
    for (const config of [{}, { _class_name: 'toString' }, null, [], 'DDIMScheduler']) {
      failure(() => createScheduler(config, 20));
    }
  });

  it('of a class that needs noise from elsewhere is refused with the reason', () => {
    const { message } = failure(() => createScheduler({ _class_name: 'DPMSolverSDEScheduler' }, 9));
    expect(message).toMatch(/DPMSolverSDEScheduler.*Brownian tree/);
  });

  it('of an unknown class still serves a scheduler that is named', () => {
    const config = { _class_name: 'ScoreSdeVeScheduler', beta_start: 0.00085 };
    expect(createScheduler(config, 20, 'Euler').scheduler.timesteps).toHaveLength(20);
  });

  it('is described by warnings alone, none of which is about a number of steps', () => {
    for (const _class_name of Object.keys(CLASSES)) {
      expect(schedulerWarnings({ _class_name })).toEqual([]);
    }
    expect(schedulerWarnings({ _class_name: 'ScoreSdeVeScheduler' })).toEqual([
      expect.stringContaining('ScoreSdeVeScheduler'),
    ]);
    expect(schedulerWarnings(undefined)).toEqual([]);
  });

  it('with an unknown key gives a warning that names it; a sister class’s key gives none', () => {
    const { warnings } = createScheduler({ ...base, skip_prk_steps: true, clip_smaple: false }, 5);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('clip_smaple');
  });

  it.each([
    [{ beta_schedule: 'sigmoid' }, 'beta_schedule'],
    [{ prediction_type: 'flow' }, 'prediction_type'],
    [{ timestep_spacing: 'even' }, 'timestep_spacing'],
    [{ beta_start: '0.1' }, 'beta_start'],
    [{ clip_sample: 'no' }, 'clip_sample'],
    [{ num_train_timesteps: 0 }, 'num_train_timesteps'],
    [{ trained_betas: [] }, 'trained_betas'],
    [
      { _class_name: 'PNDMScheduler', prediction_type: 'sample', skip_prk_steps: true },
      'prediction_type',
    ],
    [
      { _class_name: 'EulerAncestralDiscreteScheduler', prediction_type: 'sample' },
      'prediction_type',
    ],
    [
      { _class_name: 'EulerDiscreteScheduler', use_karras_sigmas: true, use_beta_sigmas: true },
      'use_beta_sigmas',
    ],
    [
      { _class_name: 'DPMSolverMultistepScheduler', algorithm_type: 'dpmsolver' },
      'final_sigmas_type',
    ],
    [{ _class_name: 'DPMSolverMultistepScheduler', solver_order: 4 }, 'solver_order'],
  ])('with a value that cannot be used is refused by its key: %j', (extra, key) => {
    expect(failure(() => createScheduler({ ...base, ...extra }, 3)).message).toContain(key);
  });

  it('takes whole steps from 1 to the number of training timesteps', () => {
    for (const steps of [0, -1, 1.5, 1001, Number.NaN]) {
      expect(failure(() => createScheduler(base, steps)).identifier).toBe('steps-range');
    }
    expect(createScheduler(base, 1000).scheduler.timesteps).toHaveLength(1000);
  });

  it.each([
    [{ _class_name: 'LCMScheduler' }, 51, { min: 1, max: 50 }],
    [{ _class_name: 'TCDScheduler', original_inference_steps: 8 }, 9, { min: 1, max: 8 }],
    [{ _class_name: 'PNDMScheduler' }, 3, { min: 4, max: 1000 }],
  ])('of %j says how many steps there can be, if not %d', (config, steps, range) => {
    const error = failure(() => createScheduler(config, steps));
    expect(error).toMatchObject({ identifier: 'steps-range', context: { steps, ...range } });
  });

  it('leaves out what diffusers marked as filled in', () => {
    const marked = {
      ...base,
      timestep_spacing: 'trailing',
      _use_default_values: ['timestep_spacing'],
    };
    expect(createScheduler(marked, 4, 'Euler').scheduler.timesteps).toEqual(
      createScheduler(base, 4, 'Euler').scheduler.timesteps,
    );
  });

  it('is read as Python writes it, infinities included, and strings are left alone', () => {
    expect(
      parseSchedulerConfig(
        '{"lambda_min_clipped": -Infinity, "a": [NaN, Infinity], "b": "x \\" -Infinity NaN"}',
      ),
    ).toEqual({
      lambda_min_clipped: Number.NEGATIVE_INFINITY,
      a: [null, Number.POSITIVE_INFINITY],
      b: 'x " -Infinity NaN',
    });
    expect(() => parseSchedulerConfig('{')).toThrow(SyntaxError);
  });

  it.each([
    [
      { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 0, num_train_timesteps: 500 },
      'The scheduler configuration (FlowMatchEulerDiscreteScheduler) leads to noise levels that are no numbers; look at shift 0.',
    ],
    [
      {
        ...base,
        _class_name: 'EulerDiscreteScheduler',
        use_karras_sigmas: true,
        beta_start: 0,
        beta_end: 0,
      },
      'The scheduler configuration (EulerDiscreteScheduler) leads to noise levels that are no numbers; look at beta_start 0, beta_end 0.',
    ],
  ])('is refused by what it says where it leaves no noise levels: %j', (config, message) => {
    expect(() => createScheduler(config, 5)).toThrow(message);
  });

  it.each([
    [base, 'DDIM'],
    [{ _class_name: 'DPMSolverMultistepScheduler', use_karras_sigmas: true }, 'DPM++ 2M Karras'],
    [{ _class_name: 'DPMSolverMultistepScheduler' }, 'DPM++ 2M'],
    [
      { _class_name: 'DPMSolverMultistepScheduler', algorithm_type: 'sde-dpmsolver++' },
      'DPM++ 2M SDE',
    ],
    [{ _class_name: 'EulerDiscreteScheduler', use_karras_sigmas: true }, 'Euler Karras'],
    [{ _class_name: 'UniPCMultistepScheduler', use_beta_sigmas: true }, 'UniPC Beta'],
    [{ _class_name: 'KDPM2AncestralDiscreteScheduler' }, 'DPM2 a'],
    [{ _class_name: 'DPMSolverSinglestepScheduler', solver_order: 3 }, 'DPM++ 3S'],
    [{ _class_name: 'ScoreSdeVeScheduler' }, 'ScoreSdeVeScheduler'],
  ])('is known to users by a name: %j', (config, name) => {
    expect(schedulerDisplayName(config)).toBe(name);
  });
});

describe('a flow model', () => {
  // diffusers 0.42.1: set_timesteps(6, mu) with mu through (256, 0.5) and (4096, 1.16), as its SD3
  // pipelines compute it for 1024 tokens where a file has no max_shift.
  it.each([
    ['UniPCMultistepScheduler', [999, 904, 790, 653, 485, 274]],
    ['DPMSolverMultistepScheduler', [999, 903, 789, 652, 484, 273]],
  ])("has its pipeline's greatest shift where the file has none: %s", (className, timesteps) => {
    const dynamic = { use_dynamic_shifting: true, use_flow_sigmas: true };
    const config = { _class_name: className, prediction_type: 'flow_prediction', ...dynamic };
    const of = (extras: object) =>
      createScheduler(config, 6, undefined, { imageSequenceLength: 1024, flow: true, ...extras })
        .scheduler.timesteps;
    expect(of({ maxShift: 1.16 })).toEqual(timesteps);
    expect(of({})).not.toEqual(timesteps);
  });

  const flow = { _class_name: 'FlowMatchEulerDiscreteScheduler', shift: 3 };

  it('refuses schedulers that are not for flow, and theirs serves no other model', () => {
    for (const [config, name] of [
      [flow, 'Euler'],
      [{ _class_name: 'EulerDiscreteScheduler' }, 'Flow match Euler'],
    ] as const) {
      expect(() => createScheduler(config, 20, name)).toThrow(
        expect.objectContaining({ identifier: 'scheduler-flow' }),
      );
    }
    expect(createScheduler(flow, 20).scheduler.flow).toBe(true);
    expect(createScheduler(flow, 20, 'Flow match Euler').scheduler.flow).toBe(true);
  });

  it('has a schedule shifted by the size of the picture', () => {
    const config = { _class_name: 'FlowMatchEulerDiscreteScheduler', use_dynamic_shifting: true };
    const n = 4;
    const sigmas = Array.from({ length: n }, (_, i) => 1 - i / n);
    const at = (imageSequenceLength: number) =>
      createScheduler(config, n, undefined, { imageSequenceLength, sigmas }).scheduler.timesteps;
    // e^mu / (e^mu + 1 / sigma - 1), mu 0.5 at 256 tokens and 1.15 at 4096
    for (const [length, mu] of [
      [256, 0.5],
      [4096, 1.15],
    ] as const) {
      const expected = sigmas.map((s) => (1000 * Math.exp(mu)) / (Math.exp(mu) + 1 / s - 1));
      for (const [i, t] of at(length).entries()) expect(t).toBeCloseTo(expected[i]!, 3);
    }
  });
});
