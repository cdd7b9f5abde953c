// A run over the processes that carry it: which previews it asks each of them for.

import { expect, it } from 'vitest';
import type { EngineProcess } from '../../src/engine/process.js';
import type { ToEngine } from '../../src/engine/protocol.js';
import { ActiveRun } from '../../src/engine/run.js';
import type { EngineJob, Preview, StepReport } from '../../src/engine/types.js';

const JOB = { id: 'run', parameters: { width: 64, height: 64 }, start: { kind: 'noise' } };
const MODEL = { directory: '/m' } as Parameters<ActiveRun['begin']>[2];

/** A process that keeps what it was told. */
function listener() {
  const heard: ToEngine[] = [];
  const child = {
    watchdog: { runBegins: () => {} },
    send: (message: ToEngine) => void heard.push(message),
  } as unknown as EngineProcess;
  const asked = () => heard.flatMap((one) => (one.kind === 'preview' ? [one.after] : []));
  return { child, asked };
}

const preview = (index: number) => ({ index, total: 50 }) as Preview;

it('asks for newer previews than the last one, and after a death for those of the steps done again', async () => {
  const run = new ActiveRun(JOB as EngineJob, {});
  const [first, second] = [listener(), listener()];
  run.begin(first.child, 1, MODEL);
  const shown = run.nextPreview(first.child);
  run.previewed(preview(7));
  expect((await shown)?.index).toBe(7);
  const report = { index: 5, checkpoint: new Uint8Array(1) } as unknown as StepReport;
  run.progressed({ report, unet: [] });
  const next = run.nextPreview(first.child);
  expect(first.asked()).toEqual([0, 7]);

  expect(run.orphaned()).toBe(5);
  run.begin(second.child, 2, MODEL);
  expect(second.asked()).toEqual([5]); // step 6 is painted again, and can be seen again
  run.previewed(preview(6));
  expect((await next)?.index).toBe(6);
});

it('asks from the beginning where nothing of it was kept', () => {
  const run = new ActiveRun(JOB as EngineJob, {});
  const [first, second] = [listener(), listener()];
  run.begin(first.child, 1, MODEL);
  void run.nextPreview(first.child);
  run.previewed(preview(3));
  expect(run.orphaned()).toBe(0);
  run.begin(second.child, 2, MODEL);
  void run.nextPreview(second.child);
  expect(second.asked()).toEqual([0]);
});
