// What the disk does not take for a while is written once it does: a real store that refuses some
// writes, on a clock that the test sets.

import { DiscordAPIError } from 'discord.js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Claims } from '../../src/commands/claims.js';
import { EnginePool } from '../../src/commands/engines.js';
import { modelName } from '../../src/commands/facts.js';
import { Generations } from '../../src/commands/generations.js';
import type { Rules } from '../../src/commands/types.js';
import type { MessageRest } from '../../src/discord/rest.js';
import type { Engine, EngineRun, OfferedModel, RunResult } from '../../src/engine/types.js';
import { UserError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { createLocalQueue } from '../../src/queue/local.js';
import type { Store } from '../../src/store/types.js';
import { freshStore, newGeneration, REPLY } from '../store/support.js';

beforeEach(() => {
  // Nothing else: the store, on a thread of its own, goes on as ever.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** More than lies between two tries. */
const A_WHILE = 60_000;

const MODEL = {
  ...{ offered: true, name: 'hydrogen', fingerprint: '0123456789' },
  defaultScheduler: 'DDIM',
} as OfferedModel;

const RESULT = {
  image: { bytes: new Uint8Array([1, 2, 3]), type: 'image/png', width: 8, height: 8 },
  ...{ index: 3, total: 3, stopped: false, flagged: false, infotext: 'x' },
  timings: { load: 0, steps: 3, total: 6 },
} as RunResult;

const engine = {
  ready: Promise.resolve({}),
  models: [MODEL],
  model: async () => MODEL,
  run: () => ({ result: Promise.resolve(RESULT), nextPreview: async () => undefined }),
} as unknown as Engine;

/** Fails so: the run of an engine. */
const failing = (error: unknown) =>
  ({
    ...engine,
    run: () =>
      ({
        result: Promise.reject(error),
        nextPreview: async () => undefined,
      }) as unknown as EngineRun,
  }) as Engine;

/** Takes everything. */
const open = {
  editByToken: async () => ({ messageId: '77', paceMs: 0 }),
} as unknown as MessageRest;

/** The bot may not write there. */
const closed = {
  editByToken: async () => {
    const request = { files: undefined, body: undefined };
    const body = { code: 50_001, message: '' };
    throw new DiscordAPIError(body, 50_001, 403, 'PATCH', 'http://x', request);
  },
} as unknown as MessageRest;

type Write = 'finish' | 'delivered' | 'setSetting';

/** Says of each try of a write whether it may go on to the store. */
type Disk = (attempt: number) => Promise<void>;

const refuses =
  (times: number): Disk =>
  async (attempt) => {
    if (attempt <= times) throw new UserError('store-full', 'There is no space left.');
  };

/** One picture that an earlier process promised, on a disk that takes not every write of a kind. */
async function unfinished(write: Write, disk: Disk, rest = open, by = engine) {
  const store = await freshStore();
  const reply = { ...REPLY, messageId: '77', tokenExpiresAt: Date.now() + 600_000 };
  await store.create(newGeneration('g1', { reply, model: modelName(MODEL) }));
  let tries = 0;
  const failingStore = {
    ...store,
    [write]: async (...args: unknown[]) => {
      await disk(++tries);
      await (store[write] as (...all: unknown[]) => Promise<void>)(...args);
    },
  } as Store;
  const generations = new Generations({
    store: failingStore,
    queue: createLocalQueue({ perUser: 1, total: 1 }, 1),
    engines: new EnginePool([by]),
    rest,
    rules: {} as Rules,
    logger: createLogger('silent'),
  });
  await generations.recover();
  return { store, generations, tries: () => tries };
}

/** Lets time pass until the write was tried so often. */
async function passUntil(tries: () => number, count: number): Promise<void> {
  await vi.waitUntil(
    async () => {
      if (tries() < count) await vi.advanceTimersByTimeAsync(A_WHILE);
      return tries() >= count;
    },
    { timeout: 20_000, interval: 5 },
  );
}

test.each<[string, Write, MessageRest, (store: Store) => Promise<unknown>, unknown]>([
  ['the picture', 'finish', open, async (s) => (await s.get('g1'))?.state, 'done'],
  ['its delivery', 'delivered', open, async (s) => (await s.get('g1'))?.delivered, true],
  ['that it waits for its owner', 'setSetting', closed, (s) => new Claims(s).take('u1'), ['g1']],
])(
  '%s is written when the disk takes it, and then no more',
  async (_, write, rest, of, written) => {
    const { store, generations, tries } = await unfinished(write, refuses(2), rest);
    await passUntil(tries, 3);
    await vi.waitFor(async () => expect(await of(store)).toEqual(written));
    await vi.advanceTimersByTimeAsync(A_WHILE);
    expect(tries()).toBe(3);
    await generations.close(0);
  },
);

test('why there is no picture is written when the disk takes it', async () => {
  const by = failing(new UserError('model-changed', 'The model was changed.'));
  const { store, generations, tries } = await unfinished('finish', refuses(2), open, by);
  await passUntil(tries, 3);
  await vi.waitFor(async () => expect((await store.get('g1'))?.state).toBe('failed'));
  await generations.close(0);
});

test.each<Write>(['finish', 'delivered'])(
  'what the disk has not taken when the process ends is left to the next one: %s',
  async (write) => {
    const { store, generations, tries } = await unfinished(
      write,
      refuses(Number.POSITIVE_INFINITY),
    );
    await passUntil(tries, 2);
    await generations.close(0);
    const then = tries();
    await vi.advanceTimersByTimeAsync(A_WHILE);
    expect(tries()).toBe(then);
    expect((await store.unfinished()).map(({ id }) => id)).toContain('g1');
  },
);

test('a disk that hangs is not asked again meanwhile', async () => {
  const hangs: Disk = (attempt) => (attempt === 1 ? refuses(1)(1) : new Promise(() => {}));
  const { generations, tries } = await unfinished('finish', hangs);
  await passUntil(tries, 2);
  await vi.advanceTimersByTimeAsync(A_WHILE);
  expect(tries()).toBe(2);
  await generations.close(0);
});
