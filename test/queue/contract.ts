// What every queue backend must do. `local.test.ts` runs it; a cluster backend runs the same.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../src/errors.js';
import {
  type Queue,
  QueueClosed,
  type QueueEntry,
  type QueueLimits,
} from '../../src/queue/types.js';

export interface OpenQueue {
  readonly queue: Queue;
  close(): Promise<void>;
}

export type OpenQueueFunction = (limits: QueueLimits, concurrency: number) => Promise<OpenQueue>;

/** A job whose task ends when the test says so. */
class Held {
  readonly entry: QueueEntry;
  readonly result: Promise<string>;
  signal: AbortSignal | undefined;
  #finish: ((value: string) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;

  constructor(
    queue: Queue,
    started: string[],
    id: string,
    options: { work?: number; force?: boolean } = {},
  ) {
    this.entry = { id, userId: id.charAt(0), work: options.work ?? 10 };
    this.result = queue.add(
      this.entry,
      (signal) => {
        started.push(id);
        this.signal = signal;
        return new Promise<string>((resolve, reject) => {
          this.#finish = resolve;
          this.#fail = reject;
        });
      },
      options.force,
    );
    // Looked at by the tests that care; a rejection nobody awaits is no failure of theirs.
    this.result.catch(() => {});
  }

  finish(): void {
    this.#finish?.(`painted ${this.entry.id}`);
  }

  fail(error: unknown): void {
    this.#fail?.(error);
  }
}

const until = (condition: () => void) => vi.waitFor(condition, { interval: 1, timeout: 20_000 });

const PLENTY: QueueLimits = { perUser: 1000, total: 1000 };

export function queueContract(name: string, open: OpenQueueFunction): void {
  describe(`${name} keeps the queue's contract`, () => {
    const opened: OpenQueue[] = [];
    const held = new Map<string, Held>();
    let started: string[] = [];

    async function fresh(limits = PLENTY, concurrency = 1): Promise<Queue> {
      const next = await open(limits, concurrency);
      opened.push(next);
      started = [];
      held.clear();
      return next.queue;
    }

    function hold(
      queue: Queue,
      ids: string[],
      options: { work?: number; force?: boolean } = {},
    ): void {
      for (const id of ids) held.set(id, new Held(queue, started, id, options));
    }

    function job(id: string): Held {
      const found = held.get(id);
      if (found === undefined) throw new Error(`the test made no job ${id}`);
      return found;
    }

    /** Ends what runs, one job after another, until `count` have started. */
    async function runUntil(count: number): Promise<string[]> {
      for (let done = 0; started.length < count || done < started.length; done++) {
        await until(() => expect(started.length).toBeGreaterThan(done));
        if (started.length >= count) break;
        job(started[done] ?? '').finish();
      }
      return started;
    }

    afterEach(async () => {
      for (const each of held.values()) each.finish();
      for (const each of opened.splice(0)) {
        const drained = each.queue.drain();
        for (const one of held.values()) one.finish();
        await drained;
        await each.close();
      }
    });

    test('a job runs and its promise takes the value of its task', async () => {
      const queue = await fresh();
      hold(queue, ['a1']);
      await until(() => expect(started).toEqual(['a1']));
      expect(queue.place('a1')?.state).toBe('running');
      job('a1').finish();
      expect(await job('a1').result).toBe('painted a1');
      await until(() => expect(queue.list()).toEqual([]));
      expect(queue.place('a1')).toBeUndefined();
    });

    test('no more jobs run at a time than there are engines', async () => {
      const queue = await fresh(PLENTY, 2);
      hold(queue, ['a1', 'b1', 'c1', 'd1']);
      await until(() => expect(started).toHaveLength(2));
      expect(queue.list().map((e) => queue.place(e.id)?.state)).toEqual([
        'running',
        'running',
        'waiting',
        'waiting',
      ]);
      job('a1').finish();
      await until(() => expect(started).toHaveLength(3));
      expect(started).toEqual(['a1', 'b1', 'c1']);
    });

    test('a task that fails gives its error to its owner and its slot to the next', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'b1']);
      await until(() => expect(started).toEqual(['a1']));
      const error = new Error('the engine died');
      job('a1').fail(error);
      await expect(job('a1').result).rejects.toBe(error);
      await until(() => expect(started).toEqual(['a1', 'b1']));
    });

    test('a task that throws before it returns a promise frees its slot as well', async () => {
      const queue = await fresh();
      const thrown = queue.add({ id: 'a1', userId: 'a', work: 1 }, () => {
        throw new Error('at once');
      });
      await expect(thrown).rejects.toThrow('at once');
      hold(queue, ['b1']);
      await until(() => expect(started).toEqual(['b1']));
    });

    test('ten jobs of one user and three of another: they take turns', async () => {
      const queue = await fresh();
      const many = Array.from({ length: 10 }, (_, index) => `a${index + 1}`);
      hold(queue, many);
      hold(queue, ['b1', 'b2', 'b3']);
      const expected = ['a1', 'b1', 'a2', 'b2', 'a3', 'b3', ...many.slice(3)];
      expect(queue.list().map((e) => e.id)).toEqual(expected);
      expect(await runUntil(13)).toEqual(expected);
    });

    test('with several engines nobody gets a second one while another waits for the first', async () => {
      const queue = await fresh(PLENTY, 3);
      hold(queue, ['a1', 'a2', 'a3', 'a4', 'b1', 'c1']);
      // Alone at first, a takes all there are.
      await until(() => expect(started).toEqual(['a1', 'a2', 'a3']));
      job('a1').finish();
      await until(() => expect(started).toHaveLength(4));
      job('a2').finish();
      await until(() => expect(started).toHaveLength(5));
      job('b1').finish();
      await until(() => expect(started).toHaveLength(6));
      expect(started.slice(3)).toEqual(['b1', 'c1', 'a4']);
    });

    test('the list is the order in which jobs start, what runs already counted in', async () => {
      const queue = await fresh(PLENTY, 2);
      hold(queue, ['a1'], { work: 1e9 });
      hold(queue, ['b1']);
      await until(() => expect(started).toEqual(['a1', 'b1']));
      // b's place is free first: c goes before a, who has one running still.
      hold(queue, ['a2', 'c1']);
      const listed = queue.list().map((e) => e.id);
      expect(listed).toEqual(['a1', 'b1', 'c1', 'a2']);
      job('b1').finish();
      await until(() => expect(started).toHaveLength(3));
      job('c1').finish();
      await until(() => expect(started).toHaveLength(4));
      expect(started).toEqual(listed);
    });

    test('who comes again at once waits for one turn of each other', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']);
      await until(() => expect(started).toEqual(['a1']));
      hold(queue, ['c1']);
      for (const next of ['c2', 'c3']) {
        const before = `c${Number(next.charAt(1)) - 1}`;
        for (let at = started.length - 1; !started.includes(before); at++) {
          job(started[at] ?? '').finish();
          await until(() => expect(started.length).toBeGreaterThan(at + 1));
        }
        hold(queue, [next]);
      }
      await runUntil(started.length);
      const at = started.length - 1;
      expect(started[at]).toBe('c2');
      const between = started.slice(started.indexOf('c1') + 1, at);
      expect(between.map((id) => id.charAt(0)).sort()).toEqual(['a', 'b']);
    });

    test('a stream of newcomers keeps nobody waiting for ever', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'a2', 'b1']);
      await until(() => expect(started).toEqual(['a1']));
      const newcomers = ['c1', 'd1', 'e1', 'f1', 'g1', 'h1'];
      for (const [index, id] of newcomers.entries()) {
        hold(queue, [id]);
        job(started[index] ?? '').finish();
        await until(() => expect(started).toHaveLength(index + 2));
      }
      expect(started.indexOf('a2')).toBeGreaterThan(0);
      expect(started.indexOf('a2')).toBeLessThan(5);
    });

    test('a limit per user names itself, and others go on', async () => {
      const queue = await fresh({ perUser: 2, total: 10 });
      hold(queue, ['a1', 'a2', 'b1']);
      const refused = await queue
        .add({ id: 'a3', userId: 'a', work: 1 }, async () => 0)
        .catch((e: unknown) => e);
      expect(refused).toBeInstanceOf(UserError);
      expect(refused).toMatchObject({
        identifier: 'queue-user-limit',
        context: { limit: 2, current: 2 },
      });
      expect(() => queue.check('a', 1)).toThrow(
        expect.objectContaining({ identifier: 'queue-user-limit' }),
      );
      expect(() => queue.check('b', 1)).not.toThrow();
      expect(() => queue.check('b', 2)).toThrow(
        expect.objectContaining({ identifier: 'queue-user-limit' }),
      );
      expect(queue.place('a3')).toBeUndefined();
    });

    test('a limit in all names itself', async () => {
      const queue = await fresh({ perUser: 2, total: 3 });
      hold(queue, ['a1', 'a2', 'b1']);
      const full = expect.objectContaining({
        identifier: 'queue-full',
        context: { limit: 3, current: 3, count: 1 },
      });
      await expect(queue.add({ id: 'c1', userId: 'c', work: 1 }, async () => 0)).rejects.toEqual(
        full,
      );
      expect(() => queue.check('c', 1)).toThrow(full);
    });

    test('a place is free again as soon as a waiting job is cancelled', async () => {
      const queue = await fresh({ perUser: 2, total: 2 });
      hold(queue, ['a1', 'a2']);
      expect(() => queue.check('a', 1)).toThrow(UserError);
      queue.cancel('a2');
      expect(() => queue.check('a', 1)).not.toThrow();
    });

    test('what was promised before a restart passes the limits', async () => {
      const queue = await fresh({ perUser: 1, total: 1 });
      hold(queue, ['a1', 'a2', 'b1'], { force: true });
      expect(queue.list()).toHaveLength(3);
      expect(await runUntil(3)).toHaveLength(3);
    });

    test('one id is not taken twice', async () => {
      const queue = await fresh();
      hold(queue, ['a1']);
      await expect(queue.add({ id: 'a1', userId: 'a', work: 1 }, async () => 0)).rejects.toThrow(
        'a1',
      );
      expect(queue.list()).toHaveLength(1);
    });

    test('a waiting job that is cancelled rejects with the reason and never runs', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'b1', 'c1']);
      const reason = new Error('withdrawn');
      expect(queue.cancel('b1', reason)).toBe(true);
      await expect(job('b1').result).rejects.toBe(reason);
      expect(queue.place('b1')).toBeUndefined();
      expect(queue.place('c1')).toMatchObject({ state: 'waiting', ahead: 0, total: 2 });
      job('a1').finish();
      await until(() => expect(started).toEqual(['a1', 'c1']));
    });

    test('a running job that is cancelled hears it, and holds its slot until it has ended', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'b1']);
      await until(() => expect(started).toEqual(['a1']));
      const reason = new Error('withdrawn');
      expect(queue.cancel('a1', reason)).toBe(true);
      expect(job('a1').signal?.reason).toBe(reason);
      await new Promise((resolve) => setImmediate(resolve));
      expect(started).toEqual(['a1']);
      expect(queue.place('a1')?.state).toBe('running');
      job('a1').fail(reason);
      await expect(job('a1').result).rejects.toBe(reason);
      await until(() => expect(started).toEqual(['a1', 'b1']));
    });

    test('a job that is not there cannot be cancelled', async () => {
      const queue = await fresh();
      expect(queue.cancel('a1')).toBe(false);
      hold(queue, ['a1']);
      await until(() => expect(started).toEqual(['a1']));
      job('a1').finish();
      await job('a1').result;
      expect(queue.cancel('a1')).toBe(false);
    });

    test('places say what is ahead and how many there are', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'a2', 'a3', 'b1']);
      await until(() => expect(started).toEqual(['a1']));
      const ahead = Object.fromEntries(queue.list().map((e) => [e.id, queue.place(e.id)?.ahead]));
      expect(ahead).toEqual({ a1: 0, b1: 0, a2: 1, a3: 2 });
      expect(queue.place('a3')).toMatchObject({ state: 'waiting', total: 4 });
    });

    test('no time is told before anything was measured', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'a2']);
      await until(() => expect(started).toEqual(['a1']));
      expect(queue.place('a1')?.expectedMs).toBeUndefined();
      expect(queue.place('a2')?.expectedMs).toBeUndefined();
      queue.measured(1, 1000);
      expect(queue.place('a1')?.expectedMs).toBeLessThanOrEqual(10_000);
      expect(queue.place('a2')?.expectedMs).toBeGreaterThan(0);
    });

    test('measurements that mean nothing change nothing', async () => {
      const queue = await fresh();
      hold(queue, ['a1']);
      for (const [work, ms] of [
        [0, 5],
        [-1, 5],
        [1, -5],
        [1, Number.NaN],
        [1, Number.POSITIVE_INFINITY],
      ] as const) {
        queue.measured(work, ms);
      }
      expect(queue.place('a1')?.expectedMs).toBeUndefined();
    });

    test('listeners hear of what is added, started, ended, cancelled and measured, until they leave', async () => {
      const queue = await fresh();
      let calls = 0;
      const leave = queue.onChange(() => calls++);
      const heard = async (act: () => void) => {
        const before = calls;
        act();
        await until(() => expect(calls).toBeGreaterThan(before));
      };
      await heard(() => hold(queue, ['a1']));
      await heard(() => hold(queue, ['a2', 'a3']));
      await heard(() => queue.cancel('a3'));
      await heard(() => queue.measured(1, 10));
      await heard(() => job('a1').finish());
      await until(() => expect(started).toEqual(['a1', 'a2']));
      await new Promise((resolve) => setImmediate(resolve));
      leave();
      const before = calls;
      queue.measured(1, 10);
      job('a2').finish();
      await job('a2').result;
      expect(calls).toBe(before);
    });

    test('what a listener sees is the state after the change', async () => {
      const queue = await fresh();
      const seen: (string | undefined)[] = [];
      queue.onChange(() => seen.push(queue.place('b1')?.state));
      hold(queue, ['a1', 'b1']);
      await until(() => expect(seen.at(-1)).toBe('waiting'));
      job('a1').finish();
      await until(() => expect(seen.at(-1)).toBe('running'));
      job('b1').finish();
      await until(() => expect(seen.at(-1)).toBeUndefined());
    });

    test('a drained queue starts nothing more and waits for what runs', async () => {
      const queue = await fresh();
      hold(queue, ['a1', 'a2', 'b1']);
      await until(() => expect(started).toEqual(['a1']));
      let drained = false;
      const draining = queue.drain().then(() => {
        drained = true;
      });
      await expect(job('a2').result).rejects.toBeInstanceOf(QueueClosed);
      await expect(job('b1').result).rejects.toBeInstanceOf(QueueClosed);
      await expect(
        queue.add({ id: 'c1', userId: 'c', work: 1 }, async () => 0),
      ).rejects.toBeInstanceOf(QueueClosed);
      expect(job('a1').signal?.aborted).toBe(false);
      expect(drained).toBe(false);
      job('a1').finish();
      expect(await job('a1').result).toBe('painted a1');
      await draining;
      expect(started).toEqual(['a1']);
      expect(queue.list()).toEqual([]);
    });

    test('an empty queue drains at once', async () => {
      const queue = await fresh();
      await queue.drain();
      expect(queue.list()).toEqual([]);
    });
  });
}
