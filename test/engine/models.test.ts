// Several models in one engine: found, chosen by name, loaded within a budget, and what fails of them
// fails alone. Real engine processes, real (tiny) models.

import { cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineJob, EngineSettings, LocalEngine, StepReport } from '../../src/engine/index.js';
import { UserError } from '../../src/errors.js';
import type { KeptStep } from '../../src/pipeline/types.js';
import { engineJob, freshFolder, TINY_SD, engineWith as tinyEngine } from '../support/engine.js';

/** A directory with these models: each the tiny one, with weights of its own. */
async function modelsDirectory(...names: string[]): Promise<string> {
  const folder = await freshFolder();
  for (const name of names) await addModel(folder, name);
  return folder;
}

/** Some other weights for each name: the same prompt gives another picture. */
async function addModel(folder: string, name: string): Promise<void> {
  await cp(TINY_SD, join(folder, name), { recursive: true });
  const path = join(folder, name, 'unet/model.onnx_data');
  const weights = await readFile(path);
  const shift = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) / 20_000;
  for (let i = 0; i < 4000; i += 4) weights.writeFloatLE(weights.readFloatLE(i) + shift, i);
  await writeFile(path, weights);
}

interface Log {
  readonly lines: string[];
  readonly logger: NonNullable<EngineSettings['logger']>;
}
function log(): Log {
  const lines: string[] = [];
  const say = (...args: unknown[]) => void lines.push(String(args.at(-1)));
  return { lines, logger: { debug: say, info: say, warn: say, error: say } };
}

const engineWith = (settings: Partial<EngineSettings>): LocalEngine =>
  tinyEngine({ backOffMs: 1, ...settings });

const job = (model?: string, parameters: Partial<EngineJob['parameters']> = {}): EngineJob =>
  engineJob({
    ...{ seed: 42, steps: 4, scheduler: 'Euler a' },
    ...(model === undefined ? {} : { model }),
    ...parameters,
  });

const paint = async (engine: LocalEngine, what: EngineJob): Promise<Uint8Array> =>
  (await engine.run(what).result).image.bytes;

const failureOf = async (promise: Promise<unknown>): Promise<UserError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};

const loadedOf = (engine: LocalEngine): string[] =>
  engine.models.flatMap((model) => (model.offered && model.loaded ? [model.name] : []));

/** bytes that exactly `count` tiny models fit into, and no more */
const roomFor = (engine: LocalEngine, count: number): number => {
  const [model] = engine.models;
  return (model?.bytes ?? 0) * (count + 0.5) * 1.15;
};

describe('the models offered', () => {
  it('are the default and every sub-directory that is a model, with what their files say', async () => {
    const folder = await modelsDirectory('beta', 'alpha');
    await mkdir(join(folder, 'notes'));
    await mkdir(join(folder, '.partial'));
    const engine = engineWith({ modelsDirectory: folder });
    await engine.ready;
    expect(engine.models.map(({ name }) => name)).toEqual(['tiny-sd', 'alpha', 'beta']);
    const alpha = engine.models[1];
    expect(alpha).toMatchObject({
      offered: true,
      isDefault: false,
      loaded: false,
      directory: join(folder, 'alpha'),
      family: 'sd',
      precision: 'fp32',
      sizeMultiple: 8,
      defaultWidth: 64,
      defaultSteps: 20,
      defaultScheduler: 'PNDM',
    });
    expect(alpha?.bytes).toBeGreaterThan(900_000);
    expect(loadedOf(engine)).toEqual(['tiny-sd']);
    expect((await engine.model()).isDefault).toBe(true);
    expect((await engine.model('ALPHA')).name).toBe('alpha');
  });

  it('are found when they are put there later, and gone when they are taken away', async () => {
    const folder = await modelsDirectory();
    const engine = engineWith({ modelsDirectory: folder });
    await engine.ready;
    expect((await failureOf(engine.model('late'))).identifier).toBe('model-unknown');
    await addModel(folder, 'late');
    expect((await engine.model('late')).name).toBe('late');
    await rename(join(folder, 'late'), join(folder, 'later'));
    expect((await failureOf(engine.run(job('late')).result)).message).toContain('tiny-sd');
    await expect(paint(engine, job('later'))).resolves.toBeInstanceOf(Uint8Array);
  });

  it('do not hold the default twice where it lies among them', async () => {
    const folder = await modelsDirectory('alpha', 'beta');
    const engine = engineWith({ modelDirectory: join(folder, 'beta'), modelsDirectory: folder });
    await engine.ready;
    expect(engine.models.map(({ name }) => name)).toEqual(['beta', 'alpha']);
  });

  it('name a damaged one in the log, once', async () => {
    const folder = await modelsDirectory('alpha');
    await truncate(join(folder, 'alpha/unet/model.onnx'), 100);
    const { lines, logger } = log();
    const engine = engineWith({ modelsDirectory: folder, logger });
    await engine.ready;
    for (let asked = 0; asked < 2; asked++) await failureOf(engine.model('alpha'));
    await failureOf(engine.model('none')); // looks at the folder again
    const told = lines.filter((line) => line.includes('"alpha"'));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/unet\/model\.onnx/);
  });

  it('name what is wrong with a damaged one, which no job can have', async () => {
    const folder = await modelsDirectory('alpha', 'broken');
    await truncate(join(folder, 'broken/unet/model.onnx'), 1000);
    const engine = engineWith({ modelsDirectory: folder });
    await engine.ready;
    const broken = engine.models.find(({ name }) => name === 'broken');
    expect(broken).toMatchObject({ offered: false });
    const failure = await failureOf(engine.run(job('broken')).result);
    expect(failure.message).toContain('"broken"');
    expect(failure.message).toContain('unet/model.onnx');
    const unknown = await failureOf(engine.run(job('none')).result);
    expect(unknown.message).toBe('There is no model "none" here; there are tiny-sd, alpha.');
  });

  it('leave out one that is larger than all the memory for models', async () => {
    const folder = await modelsDirectory('alpha');
    const engine = engineWith({ modelsDirectory: folder, memoryBytes: 500_000 });
    await engine.ready;
    const failure = await failureOf(engine.model('alpha'));
    expect(failure.message).toContain('YLEM_MODEL_MEMORY');
    await expect(paint(engine, job())).resolves.toBeInstanceOf(Uint8Array);
  });
});

describe('a job for a model', () => {
  it('is painted by it, in turns with others, with the same bytes each time', async () => {
    const folder = await modelsDirectory('alpha');
    const engine = engineWith({ modelsDirectory: folder });
    const [own, other] = [await paint(engine, job()), await paint(engine, job('alpha'))];
    expect(own).not.toEqual(other);
    const { infotext } = await engine.run(job('alpha')).result;
    expect(infotext).toContain('Model: alpha');
    for (const [name, bytes] of [
      ['tiny-sd', own],
      ['alpha', other],
    ] as const) {
      expect(await paint(engine, job(name))).toEqual(bytes);
    }
    expect(loadedOf(engine)).toEqual(['tiny-sd', 'alpha']);
  });

  it('fails alone when its model cannot be loaded; the others stay usable', async () => {
    const folder = await modelsDirectory('alpha', 'odd');
    // Sound by its files, but the weights say nothing that a graph could be made of.
    await writeFile(join(folder, 'odd/tokenizer/tokenizer.json'), '{"model": {}}');
    const engine = engineWith({ modelsDirectory: folder });
    const undisturbed = await paint(engine, job());
    const pid = engine.pid;
    const failure = await failureOf(engine.run(job('odd')).result);
    expect(failure.message).toContain('tokenizer');
    expect(await paint(engine, job())).toEqual(undisturbed);
    await expect(paint(engine, job('alpha'))).resolves.toBeInstanceOf(Uint8Array);
    expect(engine.pid).toBe(pid);
  });

  it('is painted by the directory as it is now, after its files were changed', async () => {
    const folder = await modelsDirectory('alpha', 'other');
    const engine = engineWith({ modelsDirectory: folder });
    const before = await paint(engine, job('alpha'));
    const expected = await paint(engine, job('other'));
    await rm(join(folder, 'alpha'), { recursive: true });
    await rename(join(folder, 'other'), join(folder, 'alpha'));
    const after = await engine.run(job('alpha')).result;
    expect(after.image.bytes).not.toEqual(before);
    expect(after.infotext).toContain('Model: alpha');
    expect(expected).not.toEqual(before);
  });
});

describe('the memory for models', () => {
  it('holds those used last: the one unused for longest is unloaded first', async () => {
    const folder = await modelsDirectory('alpha', 'beta');
    const probe = engineWith({ modelsDirectory: folder });
    await probe.ready;
    const { lines, logger } = log();
    const engine = engineWith({
      modelsDirectory: folder,
      memoryBytes: roomFor(probe, 2),
      logger,
    });
    await paint(engine, job('alpha'));
    expect(loadedOf(engine)).toEqual(['tiny-sd', 'alpha']);
    await paint(engine, job()); // now alpha is the older one
    await paint(engine, job('beta'));
    expect(loadedOf(engine)).toEqual(['tiny-sd', 'beta']);
    expect(lines.filter((line) => line.includes('unloaded'))).toHaveLength(1);
    await paint(engine, job('alpha'));
    expect(loadedOf(engine)).toEqual(['alpha', 'beta']);
  });

  it('that does not come back is got back by a new process, unseen by the job', async () => {
    const folder = await modelsDirectory('alpha');
    const probe = engineWith({ modelsDirectory: folder });
    await probe.ready;
    const { lines, logger } = log();
    const engine = engineWith({
      modelsDirectory: folder,
      memoryBytes: roomFor(probe, 1),
      slackBytes: 1,
      logger,
    });
    const undisturbed = await paint(probe, job('alpha'));
    await engine.ready;
    const pid = engine.pid;
    const retries: number[] = [];
    const run = engine.run(job('alpha'), { onRetry: (from) => retries.push(from) });
    expect((await run.result).image.bytes).toEqual(undisturbed);
    expect(engine.pid).not.toBe(pid);
    expect(retries).toEqual([]);
    expect(lines.some((line) => line.includes('is replaced to get memory back'))).toBe(true);
  });
});

describe('an accelerator with memory for one model alone', () => {
  const TIGHT = new URL('tight-memory.mjs', import.meta.url).href;
  const { NODE_OPTIONS } = process.env;
  afterEach(() => {
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
    delete process.env.YLEM_TEST_TIGHT;
  });

  it.each(['load', 'run'])(
    'found full in a %s, it holds one at a time from then on',
    async (when) => {
      const folder = await modelsDirectory('alpha');
      const large = { width: 96, height: 96 };
      const undisturbed = await paint(engineWith({ modelsDirectory: folder }), job('alpha', large));
      process.env.NODE_OPTIONS = `--import ${TIGHT}`;
      process.env.YLEM_TEST_TIGHT = when;
      const { lines, logger } = log();
      const engine = engineWith({ modelsDirectory: folder, logger });
      await engine.ready;
      const { pid } = engine;
      expect(await paint(engine, job('alpha', large))).toEqual(undisturbed);
      expect(engine.pid).not.toBe(pid);
      expect(loadedOf(engine)).toEqual(['alpha']);
      const again = engine.pid;
      await paint(engine, job(undefined, large));
      expect(await paint(engine, job('alpha', large))).toEqual(undisturbed);
      expect(engine.pid).toBe(again);
      expect(lines.filter((line) => line.includes('leave no room for each other'))).toHaveLength(1);
    },
  );
});

describe('a process that is killed while it switches', () => {
  const DIE = new URL('die-loading.mjs', import.meta.url).href;
  const { NODE_OPTIONS } = process.env;
  afterEach(() => {
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
  });

  /** An engine whose first processes are killed when they load that model. */
  function killedLoading(model: string, times: number, folder: string): LocalEngine {
    Object.assign(process.env, {
      NODE_OPTIONS: `--import ${DIE}`,
      YLEM_TEST_DIE_MODEL: model,
      YLEM_TEST_DIE_TIMES: String(times),
      YLEM_TEST_DIE_MARKER: join(folder, 'killed'),
    });
    return engineWith({ modelsDirectory: folder });
  }

  it('is replaced, and the run begins anew with its model', async () => {
    const folder = await modelsDirectory('alpha');
    const undisturbed = await paint(engineWith({ modelsDirectory: folder }), job('alpha'));
    const engine = killedLoading('alpha', 1, folder);
    await engine.ready;
    const retries: number[] = [];
    const run = engine.run(job('alpha'), { onRetry: (from) => retries.push(from) });
    expect((await run.result).image.bytes).toEqual(undisturbed);
    expect(retries).toEqual([0]);
  });

  it('twice under one run ends that run alone, with a sentence', async () => {
    const engine = killedLoading('alpha', 2, await modelsDirectory('alpha'));
    await engine.ready;
    const failure = await failureOf(engine.run(job('alpha')).result);
    expect(failure.identifier).toBe('model-load-died');
    expect(failure.message).toContain('"alpha"');
    await expect(paint(engine, job())).resolves.toBeInstanceOf(Uint8Array);
    await expect(paint(engine, job('alpha'))).resolves.toBeInstanceOf(Uint8Array);
  });
});

describe('steps of a model', () => {
  const options = { kind: 'sheet', frames: 4, order: 'reading', show: 'prediction' } as const;

  async function stepsOf(engine: LocalEngine, model: string): Promise<KeptStep[]> {
    const kept: KeptStep[] = [];
    const onStep = (report: StepReport) => kept.push(report);
    await engine.run(job(model), { onStep }).result;
    return kept;
  }

  it('are drawn by it, and the quick way when it is gone', async () => {
    const folder = await modelsDirectory('alpha');
    const engine = engineWith({ modelsDirectory: folder });
    const steps = await stepsOf(engine, 'alpha');
    const own = await engine.evolution(steps, options, 1 << 20, 'alpha');
    expect(await engine.evolution(steps, options, 1 << 20, 'alpha')).toEqual(own);
    await rm(join(folder, 'alpha'), { recursive: true });
    const quick = await engine.evolution(steps, options, 1 << 20, 'alpha');
    expect(quick.bytes).not.toEqual(own.bytes);
    expect(quick.width).toBeGreaterThan(0);
    const picture = await engine.picture(steps[2]!, 'prediction', 1 << 20, 'alpha');
    expect(picture.bytes.length).toBeGreaterThan(100);
  });

  it('do not unload the model that a run is using', async () => {
    const folder = await modelsDirectory('alpha');
    const probe = engineWith({ modelsDirectory: folder });
    const steps = await stepsOf(probe, 'alpha');
    const engine = engineWith({ modelsDirectory: folder, memoryBytes: roomFor(probe, 1) });
    const undisturbed = await paint(engine, job(undefined, { steps: 60 }));
    const run = engine.run(job(undefined, { steps: 60 }));
    await run.nextPreview();
    const sheet = await engine.evolution(steps, options, 1 << 20, 'alpha');
    expect(sheet.bytes.length).toBeGreaterThan(100);
    expect(loadedOf(engine)).toEqual(['tiny-sd']);
    expect((await run.result).image.bytes).toEqual(undisturbed);
    // Now nobody needs the default: the model of the steps takes its place.
    await engine.evolution(steps, options, 1 << 20, 'alpha');
    expect(loadedOf(engine)).toEqual(['alpha']);
  });
});
