// What the engine's tests share: the tiny model, jobs for it, and engines that end with their test.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import {
  createEngine,
  type EngineJob,
  type EngineSettings,
  type LocalEngine,
} from '../../src/engine/index.js';

/** A model of 64x64 px that paints a step in some milliseconds. */
export const TINY_SD = fileURLToPath(new URL('../fixtures/models/tiny-sd', import.meta.url));

let jobs = 0;

/** A job from noise, each with an id of its own. */
export function engineJob(parameters: Partial<EngineJob['parameters']> = {}): EngineJob {
  return {
    id: `job-${++jobs}`,
    parameters: {
      prompt: 'a red fox',
      negativePrompt: '',
      seed: 5,
      steps: 6,
      guidanceScale: 1,
      width: 64,
      height: 64,
      scheduler: 'DDIM',
      ...parameters,
    },
    start: { kind: 'noise' },
    maxBytes: 8 << 20,
  };
}

/** An engine with the tiny model on one thread of the CPU; closed after the test. */
export function engineWith(settings: Partial<EngineSettings> = {}): LocalEngine {
  const engine = createEngine({
    modelDirectory: TINY_SD,
    providers: ['cpu'],
    threads: 1,
    ...settings,
  });
  onTestFinished(() => engine.close());
  return engine;
}

/** An empty folder; removed after the test. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The tiny model in a folder of its own, to be changed; removed after the test. */
export async function copyOfModel(): Promise<string> {
  const folder = await freshFolder();
  await cp(TINY_SD, folder, { recursive: true });
  return folder;
}
