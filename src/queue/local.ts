// The queue of a bot that stands alone: p-queue in the bot's own process, in fair order.

import PQueue from 'p-queue';
import { UserError } from '../errors.js';
import { type FairOptions, FairOrder } from './fair-order.js';
import { type Forecast, forecast } from './forecast.js';
import { Pace } from './pace.js';
import { type Place, type Queue, QueueClosed, type QueueEntry, type QueueLimits } from './types.js';

interface Job {
  readonly entry: QueueEntry;
  /** aborts p-queue's wait; never used once the task has started, so that its slot stays taken */
  readonly wait: AbortController;
  /** the task's own signal */
  readonly task: AbortController;
  /** ms on the queue's clock; undefined while it waits */
  startedAt: number | undefined;
}

/** ms for which a forecast holds when nothing changes but the time */
const FORECAST_AGE = 200;

/**
 * @param concurrency engines there are: jobs that may run at the same time, 1 and up
 * @param clock ms that only grow
 */
export function createLocalQueue(
  limits: QueueLimits,
  concurrency: number,
  clock: () => number = () => performance.now(),
): Queue {
  return new LocalQueue(limits, concurrency, clock);
}

class LocalQueue implements Queue {
  readonly #limits: QueueLimits;
  readonly #clock: () => number;
  readonly #queue: PQueue<FairOrder, FairOptions>;
  readonly #order: FairOrder;
  readonly #pace = new Pace();
  /** by id: what waits or runs */
  readonly #jobs = new Map<string, Job>();
  readonly #listeners = new Set<() => void>();
  #forecast:
    | { readonly at: number; readonly waiting: Map<string, Forecast & { ahead: number }> }
    | undefined;
  /** a call of the listeners is on its way */
  #telling = false;
  #closed = false;

  constructor(limits: QueueLimits, concurrency: number, clock: () => number) {
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new TypeError(
        `Expected \`concurrency\` to be an integer from 1 and up, got ${concurrency}`,
      );
    }
    this.#limits = limits;
    this.#clock = clock;
    let order: FairOrder | undefined;
    class Order extends FairOrder {
      constructor() {
        super();
        order = this;
      }
    }
    this.#queue = new PQueue<FairOrder, FairOptions>({ concurrency, queueClass: Order });
    if (order === undefined) throw new Error('p-queue made no queue of the class it was given');
    this.#order = order;
  }

  async add<T>(
    entry: QueueEntry,
    task: (signal: AbortSignal) => Promise<T>,
    force = false,
  ): Promise<T> {
    if (this.#closed) throw new QueueClosed();
    if (this.#jobs.has(entry.id)) throw new Error(`the queue has a job ${entry.id} already`);
    if (!force) this.check(entry.userId, 1);
    const job: Job = {
      entry,
      wait: new AbortController(),
      task: new AbortController(),
      startedAt: undefined,
    };
    this.#jobs.set(entry.id, job);
    this.#changed();
    try {
      return await this.#queue.add(() => this.#run(job, task), {
        id: entry.id,
        entry,
        signal: job.wait.signal,
      });
    } finally {
      // Here only for a job that never started; one that ran has been forgotten by #run.
      if (job.startedAt === undefined) this.#forget(job);
    }
  }

  check(userId: string, count: number): void {
    const { perUser, total } = this.#limits;
    let own = 0;
    for (const { entry } of this.#jobs.values()) if (entry.userId === userId) own++;
    if (own + count > perUser) {
      throw new UserError(
        'queue-user-limit',
        `You may have ${perUser} pictures waiting or running at a time, and have ${own}.`,
        { limit: perUser, current: own, count },
      );
    }
    if (this.#jobs.size + count > total) {
      throw new UserError(
        'queue-full',
        `The queue is full: ${this.#jobs.size} of ${total} pictures are waiting or running. Try again in a few minutes.`,
        { limit: total, current: this.#jobs.size, count },
      );
    }
  }

  place(id: string): Place | undefined {
    const job = this.#jobs.get(id);
    if (job === undefined) return undefined;
    const total = this.#jobs.size;
    const { known } = this.#pace;
    if (job.startedAt !== undefined) {
      const expectedMs = known ? this.#remaining(job) : undefined;
      return { state: 'running', ahead: 0, total, expectedMs };
    }
    const { at, waiting } = this.#future();
    const future = waiting.get(id);
    if (future === undefined) return undefined;
    const expectedMs = known ? Math.max(0, future.startsIn - (this.#clock() - at)) : undefined;
    return { state: 'waiting', ahead: future.ahead, total, expectedMs };
  }

  list(): readonly QueueEntry[] {
    const running = [...this.#jobs.values()].filter((job) => job.startedAt !== undefined);
    running.sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
    const waiting = [...this.#future().waiting.values()];
    return [...running, ...waiting].map((job) => job.entry);
  }

  cancel(id: string, reason?: unknown): boolean {
    const job = this.#jobs.get(id);
    if (job === undefined) return false;
    if (job.startedAt === undefined) {
      // Forgotten at once, so that its place is free before the rejection is heard of.
      this.#forget(job);
      job.wait.abort(reason);
    }
    job.task.abort(reason);
    return true;
  }

  measured(work: number, milliseconds: number, model?: string): void {
    this.#pace.measured(work, milliseconds, model);
    this.#changed();
  }

  onChange(listener: () => void): () => void {
    // Wrapped, so that one function given twice is called twice and ended once.
    const call = () => listener();
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  async drain(): Promise<void> {
    this.#closed = true;
    this.#queue.pause();
    for (const job of [...this.#jobs.values()]) {
      if (job.startedAt === undefined) this.cancel(job.entry.id, new QueueClosed());
    }
    await this.#queue.onPendingZero();
  }

  async #run<T>(job: Job, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    job.startedAt = this.#clock();
    this.#changed();
    try {
      return await task(job.task.signal);
    } finally {
      this.#order.turns.settled(job.entry.userId);
      this.#forget(job);
    }
  }

  #forget(job: Job): void {
    if (this.#jobs.get(job.entry.id) !== job) return;
    this.#jobs.delete(job.entry.id);
    this.#changed();
  }

  /** ms that a running job is expected to take yet */
  #remaining(job: Job): number {
    const elapsed = this.#clock() - (job.startedAt ?? 0);
    return Math.max(0, this.#duration(job.entry) - elapsed);
  }

  /** ms that a job is expected to take from its start */
  #duration({ work, model }: QueueEntry): number {
    return work * this.#pace.perUnit(model);
  }

  #future() {
    const now = this.#clock();
    if (this.#forecast !== undefined && now - this.#forecast.at < FORECAST_AGE)
      return this.#forecast;
    const running = [...this.#jobs.values()]
      .filter((job) => job.startedAt !== undefined)
      .map((job) => ({ userId: job.entry.userId, remaining: this.#remaining(job) }));
    const order = forecast(this.#order.turns, running, this.#queue.concurrency, (entry) =>
      this.#duration(entry),
    );
    const waiting = new Map(order.map((item, ahead) => [item.entry.id, { ...item, ahead }]));
    this.#forecast = { at: now, waiting };
    return this.#forecast;
  }

  /** Tells the listeners once for all that happens in one turn of the event loop's microtasks. */
  #changed(): void {
    this.#forecast = undefined;
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      // Each in its own microtask: one that throws is a bug, and keeps the others from nothing.
      for (const listener of this.#listeners) {
        queueMicrotask(() => {
          if (this.#listeners.has(listener)) listener();
        });
      }
    });
  }
}
