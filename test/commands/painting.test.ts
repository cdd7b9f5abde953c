// A picture reaches its owner also when the disk takes nothing any more.

import { expect, test, vi } from 'vitest';
import type { EnginePool } from '../../src/commands/engines.js';
import { Insistence } from '../../src/commands/insistence.js';
import type { Job } from '../../src/commands/job.js';
import { Painter } from '../../src/commands/painting.js';
import { tellFailure } from '../../src/discord/errors.js';
import {
  type Engine,
  type EngineRun,
  RunCancelled,
  type RunHandlers,
  type RunResult,
} from '../../src/engine/types.js';
import { UserError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { createLocalQueue } from '../../src/queue/local.js';
import type { Queue } from '../../src/queue/types.js';
import type { Store } from '../../src/store/types.js';
import { keptStep, newGeneration } from '../store/support.js';

const FULL = new UserError(
  'store-full',
  'There is no space left on the disk for the database /home/ylem/data/ylem.sqlite.',
);

/** Reads, and fails to write. */
const fullStore = {
  start: () => Promise.reject(FULL),
  keepStep: () => Promise.reject(FULL),
  finish: () => Promise.reject(FULL),
  checkpoint: async () => undefined,
} as unknown as Store;

const RESULT: RunResult = {
  image: { bytes: new Uint8Array([1, 2, 3]), type: 'image/png', width: 8, height: 8 },
  index: 3,
  total: 3,
  stopped: false,
  flagged: false,
  infotext: 'x',
  timings: {
    load: 0,
    encode: 1,
    steps: 3,
    unet: [1, 1, 1],
    decode: 1,
    file: 1,
    graphs: 4,
    total: 6,
  },
};

/** Three steps, then the picture. */
const engine = {
  run: (_job: unknown, handlers: RunHandlers) => {
    for (const index of [1, 2, 3]) {
      handlers.onStep?.({
        ...keptStep(index, 3),
        ...{ milliseconds: 1, checkpoint: new Uint8Array(1) },
      });
    }
    return { result: Promise.resolve(RESULT), cancel: () => {} } as unknown as EngineRun;
  },
} as unknown as Engine;

function jobOf() {
  const { init: _, ...generation } = newGeneration('g1');
  return {
    generation: { ...generation, hasInit: false, hasMask: false },
    stepped: () => {},
    begin: () => {},
    end: vi.fn(),
  };
}

const storeThatTakesAll = {
  start: async () => {},
  keepStep: async () => {},
  finish: async () => {},
  checkpoint: async () => undefined,
} as unknown as Store;

test('a picture that is given up says why, where the engine knows only that it ended', async () => {
  class GivenUp extends Error {}
  const running = {
    run: () => {
      let cancel = () => {};
      const result = new Promise((_, reject) => {
        cancel = () => reject(new RunCancelled('g1'));
      });
      return { result, cancel: () => cancel() };
    },
  } as unknown as Engine;
  const painter = new Painter({
    store: storeThatTakesAll,
    queue: createLocalQueue({ perUser: 1, total: 1 }, 1),
    engines: { take: () => running, give: () => {} } as unknown as EnginePool,
    logger: createLogger('silent'),
    bug: vi.fn(),
    insistence: new Insistence(vi.fn()),
  });
  const abort = new AbortController();
  const job = { ...jobOf(), begin: () => abort.abort(new GivenUp()) };
  await expect(painter.paint(job as unknown as Job, abort.signal)).rejects.toBeInstanceOf(GivenUp);
});

test('expected times come from steps, however many calls of the model each of them takes', async () => {
  const measured: number[] = [];
  for (const unet of [RESULT.timings.unet, [1, 1, 1, 1, 1, 1]]) {
    const result = { ...RESULT, timings: { ...RESULT.timings, unet } };
    const twice = { run: () => ({ result: Promise.resolve(result), cancel: () => {} }) };
    const painter = new Painter({
      store: storeThatTakesAll,
      queue: { measured: (work: number) => measured.push(work) } as unknown as Queue,
      engines: { take: () => twice, give: () => {} } as unknown as EnginePool,
      logger: createLogger('silent'),
      bug: vi.fn(),
      insistence: new Insistence(vi.fn()),
    });
    await painter.paint(jobOf() as unknown as Job, new AbortController().signal);
  }
  expect(measured[0]).toBeGreaterThan(0);
  expect(measured[1]).toBe(measured[0]);
});

test('what cannot be kept is shown all the same, and the log is told once for all steps', async () => {
  const bug = vi.fn();
  const give = vi.fn();
  const job = jobOf();
  const painter = new Painter({
    store: fullStore,
    queue: createLocalQueue({ perUser: 1, total: 1 }, 1),
    engines: { take: () => engine, give } as unknown as EnginePool,
    logger: createLogger('silent'),
    bug,
    insistence: new Insistence(bug),
  });
  const painted = await painter.paint(job as unknown as Job, new AbortController().signal);
  expect(painted.file.bytes).toEqual(RESULT.image.bytes);
  // The start, one step, the end.
  expect(bug.mock.calls).toEqual([
    [FULL, 'g1'],
    [FULL, 'g1'],
    [FULL, 'g1'],
  ]);
  expect(give).toHaveBeenCalledOnce();
  expect(job.end).toHaveBeenCalledOnce();
});

test.each(['en-US', 'de', 'fr'])(
  'where the disk is, and what it is called, people are not told: %s',
  (locale) => {
    const sentence = tellFailure(FULL, locale, 'abcd1234');
    expect(sentence).toContain('abcd1234');
    expect(sentence).not.toContain('sqlite');
    expect(sentence).not.toMatch(/\/home/);
  },
);

test.each(['en-US', 'de', 'fr'])(
  'what a sentence quotes is no Markdown and no ping: %s',
  (locale) => {
    const name = '*nope* <@1> `x`';
    const unknown = new UserError('model-unknown', `There is no model "${name}" here.`, {
      name,
      models: 'hydrogen',
    });
    expect(tellFailure(unknown, locale, 'abcd1234')).toContain('\\*nope\\* \\<@\u200b1> \\`x\\`');
  },
);
