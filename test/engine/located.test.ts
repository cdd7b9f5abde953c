// Where the model of kept steps cannot be looked for. No directory does that on demand, so looking at
// one is made to fail; the engine process is a real one.

import type { Logger } from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import type { LocalEngine } from '../../src/engine/index.js';
import type { ModelDescription } from '../../src/pipeline/describe.js';
import type { EvolutionOptions, KeptStep } from '../../src/pipeline/types.js';
import { engineJob, engineWith } from '../support/engine.js';

const looking = vi.hoisted(() => ({ fault: undefined as Error | undefined }));
vi.mock('../../src/pipeline/describe.js', async (original) => {
  const real = await original<typeof import('../../src/pipeline/describe.js')>();
  const describeModel = async (directory: string): Promise<ModelDescription> => {
    if (looking.fault !== undefined) throw looking.fault;
    return real.describeModel(directory);
  };
  return { ...real, describeModel };
});
afterEach(() => {
  looking.fault = undefined;
});

/** An engine, a step that it has painted, and what it has told its operator as a bug. */
async function painted(): Promise<{ engine: LocalEngine; step: KeptStep; told: unknown[] }> {
  const told: unknown[] = [];
  const logger = {
    ...{ debug() {}, info() {}, warn() {} },
    error: (fields: { readonly err?: unknown }) => void told.push(fields.err),
  } as unknown as Logger;
  const engine = engineWith({ logger });
  const kept: KeptStep[] = [];
  await engine.run(engineJob(), { onStep: (report) => kept.push(report) }).result;
  return { engine, step: kept.at(-1)!, told };
}

const SHEET: EvolutionOptions = {
  ...{ kind: 'sheet', frames: 1, show: 'prediction', order: 'reading' },
};

it('the steps are drawn all the same, and the operator hears why they look so', async () => {
  const { engine, step, told } = await painted();
  const fault = new TypeError('a bug in looking');
  looking.fault = fault;
  const picture = await engine.picture(step, 'prediction', 1 << 20);
  expect(picture).toMatchObject({ type: 'image/png' });
  expect(told).toEqual([fault]);
  await engine.evolution([step], SHEET, 1 << 20);
  expect(told).toEqual([fault, fault]);
});

it('a model that is gone is no news: its steps are drawn without it', async () => {
  const { engine, step, told } = await painted();
  const picture = await engine.picture(step, 'prediction', 1 << 20, 'gone-since');
  expect(picture).toMatchObject({ type: 'image/png' });
  expect(told).toEqual([]);
});
