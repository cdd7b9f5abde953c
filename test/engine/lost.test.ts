// A GPU whose driver resets in mid-run: no GPU here does that on demand, so onnxruntime's `run` is
// made to say it, in a real engine process.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LocalEngine } from '../../src/engine/index.js';
import { Ladder } from '../../src/engine/ladder.js';
import { UserError } from '../../src/errors.js';
import { engineJob, engineWith, freshFolder } from '../support/engine.js';

const LOSE = new URL('lose-device.mjs', import.meta.url).href;

const { NODE_OPTIONS } = process.env;
afterEach(() => {
  if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = NODE_OPTIONS;
  delete process.env.YLEM_TEST_LOSE_DEVICE;
  delete process.env.YLEM_TEST_LOSE_TIMES;
});

const JOB = engineJob({ seed: 3, steps: 16, width: 96, height: 96, scheduler: 'Euler a' });

it('a lost device ends the process, and the next one goes on from the last step', async () => {
  const marker = join(await freshFolder(), 'lost');
  const whole = engineWith();
  process.env.YLEM_TEST_LOSE_DEVICE = marker;
  process.env.NODE_OPTIONS = `--import ${LOSE}`;
  await whole.ready;
  const lost = engineWith({ backOffMs: 1 });
  const retries: number[] = [];
  const result = await lost.run(JOB, { onRetry: (from) => retries.push(from) }).result;
  expect(existsSync(marker)).toBe(true);
  expect(retries).toEqual([11]);
  expect(result.image.bytes).toEqual((await whole.run(JOB).result).image.bytes);
});

/** An engine whose accelerator is lost that many times, and what its log says. */
async function losing(
  times: number,
  providers: readonly string[],
  work: (engine: LocalEngine, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  process.env.YLEM_TEST_LOSE_DEVICE = join(await freshFolder(), 'lost');
  process.env.YLEM_TEST_LOSE_TIMES = String(times);
  process.env.NODE_OPTIONS = `--import ${LOSE}`;
  const lines: string[] = [];
  const say = (...args: unknown[]) => void lines.push(String(args.at(-1)));
  const logger = { debug: say, info: say, warn: say, error: say };
  await work(engineWith({ backOffMs: 1, providers, logger }), lines);
}

// No second provider runs here: the CPU, named twice, stands for one and the one after it.
it('lost a second time, the run goes on with the next provider, and the log says so', async () => {
  await losing(2, ['cpu', 'cpu'], async (engine, lines) => {
    const retries: number[] = [];
    const run = engine.run(JOB, { onRetry: (from) => retries.push(from) });
    const { image } = await run.result;
    expect(retries).toEqual([11, 12]);
    const said = lines.filter((line) => line.includes('the run goes on with'));
    expect(said).toHaveLength(2);
    expect(said[0]).toContain('goes on with cpu, cpu');
    expect(said[1]).toMatch(/goes on with cpu$/);
    // The next run tries all of them again, in a fresh process, and paints the same.
    const { pid } = engine;
    expect((await engine.run(JOB).result).image.bytes).toEqual(image.bytes);
    expect(engine.pid).not.toBe(pid);
  });
});

it('lost again and again, with no provider left, it is a clear sentence', async () => {
  await losing(2, ['cpu'], async (engine) => {
    const failure = await engine.run(JOB).result.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as UserError).identifier).toBe('accelerator-lost');
    await expect(engine.run(JOB).result).resolves.toMatchObject({ index: 16 });
  });
});

describe('the ladder of providers', () => {
  it('gives each a second chance, then goes one down', () => {
    const ladder = new Ladder(['cuda', 'webgpu', 'cpu']);
    expect(ladder.lost('cuda')).toEqual(['cuda', 'webgpu', 'cpu']);
    expect(ladder.lost('cuda')).toEqual(['webgpu', 'cpu']);
    expect(ladder.lost('webgpu')).toEqual(['webgpu', 'cpu']);
    expect(ladder.lost('webgpu')).toEqual(['cpu']);
  });

  it('goes past those that were not taken in the first place', () => {
    const ladder = new Ladder(['cuda', 'webgpu', 'cpu']);
    ladder.lost('webgpu');
    expect(ladder.lost('webgpu')).toEqual(['cpu']);
  });

  it('climbs up again for the next run, and stays below after two falls in a row', () => {
    const ladder = new Ladder(['webgpu', 'cpu']);
    const fall = () => {
      ladder.lost('webgpu');
      ladder.lost('webgpu');
      ladder.runEnded();
    };
    expect(ladder.climb()).toBe(false);
    fall();
    expect(ladder.climb()).toBe(true);
    expect(ladder.providers).toEqual(['webgpu', 'cpu']);
    fall();
    expect(ladder.climb()).toBe(false);
    expect(ladder.providers).toEqual(['cpu']);
  });

  it('forgets a single loss with its run', () => {
    const ladder = new Ladder(['webgpu', 'cpu']);
    ladder.lost('webgpu');
    ladder.runEnded();
    expect(ladder.lost('webgpu')).toEqual(['webgpu', 'cpu']);
  });
});
