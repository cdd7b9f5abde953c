// The local queue: the contract, expected times on a clock of the test's own, and fairness whatever
// happens.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLocalQueue } from '../../src/queue/local.js';
import type { Queue, QueueEntry } from '../../src/queue/types.js';
import { queueContract } from './contract.js';

queueContract('the local queue', async (limits, concurrency) => ({
  queue: createLocalQueue(limits, concurrency),
  close: async () => {},
}));

const PLENTY = { perUser: 10_000, total: 10_000 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

interface Task {
  readonly entry: QueueEntry;
  readonly ended: Promise<unknown>;
  finish(): void;
}

function addHeld(queue: Queue, entry: QueueEntry, onStart: (id: string) => void): Task {
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const ended = queue
    .add(entry, () => {
      onStart(entry.id);
      return gate;
    })
    .catch((error: unknown) => error);
  return { entry, ended, finish };
}

test.each([0, -1, 1.5, Number.NaN])('%s engines are refused', (concurrency) => {
  expect(() => createLocalQueue(PLENTY, concurrency)).toThrow('Expected `concurrency`');
});

test('expected times count the rest of what runs and all the work that goes before', async () => {
  let now = 5000;
  const queue = createLocalQueue(PLENTY, 1, () => now);
  const entry = (id: string, work: number) => ({ id, userId: id.charAt(0), work });
  const tasks = [entry('a1', 10), entry('a2', 20), entry('b1', 40)].map((e) =>
    addHeld(queue, e, () => {}),
  );
  queue.measured(2, 200);
  expect(queue.place('a1')).toEqual({ state: 'running', ahead: 0, total: 3, expectedMs: 1000 });
  expect(queue.place('b1')).toEqual({ state: 'waiting', ahead: 0, total: 3, expectedMs: 1000 });
  expect(queue.place('a2')).toEqual({ state: 'waiting', ahead: 1, total: 3, expectedMs: 5000 });
  now += 150; // less than a forecast's age: the same forecast, with the time gone by taken off
  expect(queue.place('b1')?.expectedMs).toBe(850);
  now += 550;
  expect(queue.place('a1')?.expectedMs).toBe(300);
  expect(queue.place('a2')?.expectedMs).toBe(4300);
  now += 9000; // slower than thought: it may end at any moment, and what follows still takes its time
  expect(queue.place('a1')?.expectedMs).toBe(0);
  expect(queue.place('b1')?.expectedMs).toBe(0);
  expect(queue.place('a2')?.expectedMs).toBe(4000);
  for (const task of tasks) task.finish();
  await Promise.all(tasks.map((task) => task.ended));
});

test('two engines halve the wait', async () => {
  const queue = createLocalQueue(PLENTY, 2, () => 0);
  const tasks = ['a1', 'b1', 'c1', 'd1', 'e1'].map((id) =>
    addHeld(queue, { id, userId: id.charAt(0), work: 10 }, () => {}),
  );
  queue.measured(1, 100);
  expect(['c1', 'd1', 'e1'].map((id) => queue.place(id)?.expectedMs)).toEqual([1000, 1000, 2000]);
  for (const task of tasks) task.finish();
  await Promise.all(tasks.map((task) => task.ended));
});

test('each model has a pace of its own, and one that was not measured that of all', async () => {
  const queue = createLocalQueue(PLENTY, 1, () => 0);
  const entry = (id: string, model: string) => ({ id, userId: id.charAt(0), work: 10, model });
  const tasks = [entry('a1', 'fast'), entry('a2', 'slow'), entry('a3', 'new'), entry('a4', 'fast')];
  const held = tasks.map((task) => addHeld(queue, task, () => {}));
  queue.measured(10, 100, 'fast');
  expect(queue.place('a3')?.expectedMs).toBe(200); // all as fast, as far as is known
  queue.measured(10, 100_000, 'slow');
  expect(queue.place('a1')?.expectedMs).toBe(100);
  expect(queue.place('a2')?.expectedMs).toBe(100);
  expect(queue.place('a3')?.expectedMs).toBe(100_100);
  const last = queue.place('a4')?.expectedMs ?? 0;
  expect(last).toBeGreaterThan(100_100 + 100);
  expect(last).toBeLessThan(200_100);
  for (const task of held) task.finish();
  await Promise.all(held.map((task) => task.ended));
});

test('the pace follows the newest measurements without jumping to them', async () => {
  const queue = createLocalQueue(PLENTY, 1, () => 0);
  const task = addHeld(queue, { id: 'a1', userId: 'a', work: 1 }, () => {});
  const expected = () => queue.place('a1')?.expectedMs ?? Number.NaN;
  queue.measured(1, 1000);
  queue.measured(1, 2000);
  expect(expected()).toBeGreaterThan(1000);
  expect(expected()).toBeLessThan(2000);
  for (let index = 0; index < 30; index++) queue.measured(1, 2000);
  expect(expected()).toBeCloseTo(2000, 0);
  task.finish();
  await task.ended;
});

test('a thousand forced jobs are forecast in their order', async () => {
  const queue = createLocalQueue(PLENTY, 1);
  const started: string[] = [];
  const jobs = Array.from({ length: 1000 }, (_, index) => ({
    id: `j${index}`,
    userId: `u${index % 37}`,
    work: 1,
  }));
  const ended = jobs.map((entry) =>
    queue.add(entry, async () => {
      started.push(entry.id);
      await settle();
    }),
  );
  const foreseen = queue.list().map((entry) => entry.id);
  await Promise.all(ended);
  expect(started).toEqual(foreseen);
});

type Action =
  | { readonly kind: 'add'; readonly user: number }
  | { readonly kind: 'finish'; readonly which: number }
  | { readonly kind: 'cancel'; readonly which: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), user: fc.nat(4) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish' as const), which: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(100) }) },
);

test('whatever happens: turns are fair, no job is lost or runs twice, no slot leaks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 80 }),
      fc.integer({ min: 1, max: 3 }),
      async (actions, slots) => {
        const queue = createLocalQueue(PLENTY, slots);
        const tasks = new Map<string, Task>();
        const waiting: string[] = [];
        const running: string[] = [];
        const everStarted = new Set<string>();
        const settled = new Set<string>();
        const userOf = (id: string) => id.split('-')[0] ?? '';
        const runningOf = (user: string) => running.filter((id) => userOf(id) === user).length;
        /** for users who wait with nothing running: who was served since, to see that none is twice */
        const servedSince = new Map<string, Set<string>>();

        const watch = () => {
          for (const user of servedSince.keys()) {
            if (!waiting.some((id) => userOf(id) === user) || runningOf(user) > 0)
              servedSince.delete(user);
          }
          for (const id of waiting) {
            const user = userOf(id);
            if (runningOf(user) === 0 && !servedSince.has(user)) servedSince.set(user, new Set());
          }
        };

        const onStart = (id: string) => {
          const user = userOf(id);
          expect(everStarted.has(id)).toBe(false);
          everStarted.add(id);
          expect(waiting.filter((other) => userOf(other) === user)[0]).toBe(id);
          for (const other of waiting)
            expect(runningOf(user)).toBeLessThanOrEqual(runningOf(userOf(other)));
          waiting.splice(waiting.indexOf(id), 1);
          watch();
          for (const [other, served] of servedSince) {
            if (other === user) continue;
            expect(served.has(user)).toBe(false);
            served.add(user);
          }
          running.push(id);
          servedSince.delete(user);
          expect(running.length).toBeLessThanOrEqual(slots);
        };

        // A task that throws would only reject its own promise: what it saw is told at the end.
        const faults: unknown[] = [];
        const seeStart = (id: string) => {
          try {
            onStart(id);
          } catch (error) {
            faults.push(error);
          }
        };

        let count = 0;
        for (const step of actions) {
          if (step.kind === 'add') {
            const id = `${step.user}-${count++}`;
            waiting.push(id);
            watch();
            const task = addHeld(queue, { id, userId: String(step.user), work: 1 }, seeStart);
            task.ended.then(() => settled.add(id));
            tasks.set(id, task);
          } else if (step.kind === 'finish' && running.length > 0) {
            const [id] = running.splice(step.which % running.length, 1);
            tasks.get(id ?? '')?.finish();
            watch();
          } else if (step.kind === 'cancel' && waiting.length > 0) {
            const [id] = waiting.splice(step.which % waiting.length, 1);
            expect(queue.cancel(id ?? '')).toBe(true);
            watch();
          }
          await settle();
          expect(running.length).toBe(Math.min(slots, running.length + waiting.length));
          expect(queue.list().length).toBe(running.length + waiting.length);
        }
        while (running.length > 0) {
          tasks.get(running.shift() ?? '')?.finish();
          await settle();
        }
        if (faults.length > 0) throw faults[0];
        expect(waiting).toEqual([]);
        expect(settled.size).toBe(tasks.size);
        expect(queue.list()).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
});
