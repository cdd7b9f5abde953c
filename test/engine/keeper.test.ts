// How long the keeper waits before the next process, with processes that die when the test says so.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Keeper, type KeeperEvents } from '../../src/engine/keeper.js';
import type { EngineProcess, ProcessEvents } from '../../src/engine/process.js';
import type { FromEngine, HostOptions } from '../../src/engine/protocol.js';

const { made } = vi.hoisted(() => ({ made: [] as ProcessEvents[] }));

vi.mock('../../src/engine/process.js', () => ({
  EngineProcess: class implements Pick<EngineProcess, 'pid' | 'send' | 'forget'> {
    readonly pid = 1;
    readonly watchdog = { loadBegins: () => {}, loadEnded: () => {} };
    constructor(_options: unknown, events: ProcessEvents) {
      made.push(events);
    }
    send(): void {}
    forget(): void {}
  },
}));

const MODEL = '/models/usual';
const OPTIONS = {} as HostOptions;
let keeper: Keeper;

beforeEach(() => {
  vi.useFakeTimers();
  made.length = 0;
  const nothing = () => {};
  const events: KeeperEvents = {
    ...{ started: nothing, message: nothing, died: nothing, worn: nothing },
    ...{ replaced: nothing, gaveUp: nothing },
  };
  const settings = { modelDirectory: MODEL, providers: ['cpu'], backOffMs: 100 };
  keeper = new Keeper(settings, MODEL, () => OPTIONS, events);
  keeper.want();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The newest process has loaded its model. */
function load(): void {
  for (const message of [
    { kind: 'opened' },
    { kind: 'loading', directory: MODEL },
    { kind: 'loaded', info: { directory: MODEL } },
  ])
    made.at(-1)?.message(message as FromEngine);
}

/** The newest process dies. @returns ms until the next one is started */
function die(): number {
  const count = made.length;
  made.at(-1)?.end({ how: 'was killed (SIGKILL)', lastWords: '' });
  expect(made).toHaveLength(count);
  const died = Date.now();
  vi.advanceTimersToNextTimer();
  expect(made).toHaveLength(count + 1);
  return Date.now() - died;
}

/** Loads and dies so many times. @returns the waits, ms */
const deaths = (count: number): number[] =>
  Array.from({ length: count }, () => {
    load();
    return die();
  });

it('waits twice as long after each death in a row, and no longer than half a minute', () => {
  expect(deaths(5)).toEqual([100, 200, 400, 800, 1600]);
  expect(deaths(5)).toEqual([3200, 6400, 12_800, 25_600, 30_000]);
  expect(deaths(1)).toEqual([30_000]);
});

it('begins anew when a run was brought to its end', () => {
  expect(deaths(3)).toEqual([100, 200, 400]);
  keeper.sound();
  expect(deaths(2)).toEqual([100, 200]);
});

it('begins anew when a process has lived for a minute', () => {
  expect(deaths(3)).toEqual([100, 200, 400]);
  load();
  vi.advanceTimersByTime(60_001);
  expect(die()).toBe(100);
  expect(deaths(1)).toEqual([200]);
});

it('waits longer as well for a process that cannot load its model', () => {
  expect([die(), die(), die()]).toEqual([100, 200, 400]);
});
