// A GPU whose driver resets in mid-run: no GPU here does that on demand, so onnxruntime's `run` is
// made to say it, in a real engine process.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createEngine, type EngineJob } from '../../src/engine/index.js';

const MODEL = fileURLToPath(new URL('../fixtures/models/tiny-sd', import.meta.url));
const LOSE = new URL('lose-device.mjs', import.meta.url).href;

const { NODE_OPTIONS } = process.env;
afterEach(() => {
  if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = NODE_OPTIONS;
  delete process.env.YLEM_TEST_LOSE_DEVICE;
});

const JOB: EngineJob = {
  id: 'lost',
  parameters: {
    prompt: 'a red fox',
    negativePrompt: '',
    seed: 3,
    steps: 16,
    guidanceScale: 1,
    width: 96,
    height: 96,
    scheduler: 'Euler a',
  },
  start: { kind: 'noise' },
  maxBytes: 8 << 20,
};
const SETTINGS = { modelDirectory: MODEL, providers: ['cpu'], threads: 1, backOffMs: 1 };

it('a lost device ends the process, and the next one goes on from the last step', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  const marker = join(folder, 'lost');
  const whole = createEngine(SETTINGS);
  process.env.YLEM_TEST_LOSE_DEVICE = marker;
  process.env.NODE_OPTIONS = `--import ${LOSE}`;
  await whole.ready;
  const lost = createEngine(SETTINGS);
  try {
    const retries: number[] = [];
    const result = await lost.run(JOB, { onRetry: (from) => retries.push(from) }).result;
    expect(existsSync(marker)).toBe(true);
    expect(retries).toEqual([11]);
    expect(result.image.bytes).toEqual((await whole.run(JOB).result).image.bytes);
  } finally {
    await Promise.all([whole.close(), lost.close()]);
    await rm(folder, { recursive: true });
  }
});
