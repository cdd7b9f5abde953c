// Takes wishes to pictures: reserved in the queue, promised in the store, painted by an engine,
// shown in a live reply, delivered once. What a restart finds unfinished goes on here as well.

import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Exchange } from '../discord/exchange.js';
import { failureOf } from '../discord/failures.js';
import type { MessageBody } from '../discord/message.js';
import { SLOW_DISK, within } from '../discord/patience.js';
import type { MessageRest } from '../discord/rest.js';
import { shuttingDown } from '../errors.js';
import { checkParameters } from '../pipeline/parameters.js';
import type { GenerationParameters } from '../pipeline/types.js';
import type { Queue } from '../queue/types.js';
import type { Generation, InitSource, ParentRelation, Store } from '../store/types.js';
import { Claims } from './claims.js';
import { Delivery } from './delivery.js';
import { endOf } from './endings.js';
import { type EnginePool, modelOf } from './engines.js';
import type { Promised } from './facts.js';
import { checkFits } from './fitting.js';
import { HandOver } from './hand-over.js';
import { Insistence } from './insistence.js';
import { Job } from './job.js';
import { withoutRequest } from './log-safe.js';
import { Outcomes, Withdrawn } from './outcomes.js';
import { entryOf, isPainted, Painter } from './painting.js';
import { Places } from './places.js';
import { promisesFor } from './promising.js';
import type { Rules } from './types.js';
import { lookAt } from './unfinished.js';

/** One picture that somebody asks for. */
export interface Wish {
  readonly parameters: GenerationParameters;
  readonly init?: InitSource;
  /** the init image has a mask */
  readonly masked?: boolean;
  readonly parent?: {
    readonly id: string;
    readonly relation: ParentRelation;
    /** the parent's step that new noise follows on, with that noise's seed */
    readonly branch?: { readonly step: number; readonly seed: number };
  };
}

export interface GenerationsOptions {
  readonly store: Store;
  readonly queue: Queue;
  readonly engines: EnginePool;
  readonly rest: MessageRest;
  readonly rules: Rules;
  readonly logger: Logger;
}

/** ms that the word of a restart may take on its way */
const FAREWELL = 1500;

export class Generations {
  readonly #store: Store;
  readonly #queue: Queue;
  readonly #engines: EnginePool;
  readonly #rest: MessageRest;
  readonly #rules: Rules;
  readonly #logger: Logger;
  readonly #insistence: Insistence;
  readonly #painter: Painter;
  readonly #outcomes: Outcomes;
  readonly #delivery: Delivery;
  readonly #handOver: HandOver;
  readonly #places: Places;
  /** by id: everything that is queued, runs or is being delivered in this process */
  readonly #jobs = new Map<string, Job>();
  /** outcomes being written down and delivered */
  readonly #work = new Set<Promise<void>>();
  #closing = false;

  constructor(options: GenerationsOptions) {
    this.#store = options.store;
    this.#queue = options.queue;
    this.#engines = options.engines;
    this.#rest = options.rest;
    this.#rules = options.rules;
    this.#logger = options.logger;
    const bug = (error: unknown, id: string) => this.#bug(error, id);
    const insistence = new Insistence(bug);
    const claims = new Claims(options.store);
    this.#insistence = insistence;
    this.#painter = new Painter({ ...options, bug, insistence });
    this.#outcomes = new Outcomes({ ...options, bug, insistence });
    this.#delivery = new Delivery({ ...options, claims, insistence });
    this.#handOver = new HandOver({ ...options, claims, bug });
    this.#places = new Places(options.queue, this.#jobs);
  }

  /**
   * Reserves places, answers the interaction and promises the pictures. Once a model is loaded
   * nothing is waited for before the answer, and a limit is told privately instead of it.
   *
   * @throws UserError when a limit is reached or passed, or the bot is ending: nothing was answered then
   */
  async begin(exchange: Exchange, wishes: readonly Wish[], ephemeral: boolean): Promise<void> {
    if (this.#closing) {
      throw shuttingDown();
    }
    // All wishes of one interaction are for one model.
    const model = await modelOf(this.#engines, exchange, ephemeral, wishes[0]?.parameters.model);
    // Those of an earlier picture may come from a time of wider limits.
    for (const { parameters } of wishes) {
      checkParameters(parameters, model, this.#rules.limits);
      checkFits(parameters, model);
    }
    this.#queue.check(exchange.userId, wishes.length);
    const promises = promisesFor(wishes, model, exchange, ephemeral);
    const jobs: Job[] = [];
    for (const { generation } of promises)
      jobs.push(this.#jobFor(generation, model.defaultScheduler, false, jobs[0]));
    // On disk before it is acknowledged; only a disk that hangs must not cost Discord's 3 s.
    const stored = Promise.all(promises.map(({ row }) => this.#store.create(row)));
    const answered = within(SLOW_DISK, stored).then(() => exchange.defer(ephemeral, true));
    const promised = Promise.all([answered, stored]).then(() => {});
    // First to hear of a failure, before the tasks below: then nothing is left to conclude.
    promised.catch(() => {
      for (const job of jobs) this.#jobs.delete(job.id);
    });
    for (const job of jobs) this.#enqueue(job, promised, false);
    try {
      await promised;
      const messageId = await answered;
      for (const job of jobs) job.answered();
      if (messageId !== undefined) jobs[0]?.transport.learn(messageId);
      void jobs[0]?.transport.opened.then(() => {
        exchange.shown();
        this.seen(exchange);
      });
    } catch (error) {
      // Nobody will ever see these: the interaction is void or the store refused them.
      for (const job of jobs) {
        this.#queue.cancel(job.id, new Withdrawn('unanswered'));
        job.live.close();
        await this.#store.remove(job.id).catch((why: unknown) => this.#bug(why, job.id));
      }
      throw error;
    }
    // The other messages can be made only when the first shows something.
    if (jobs.length > 1 && this.#queue.place(jobs[0]?.id ?? '')?.state === 'running') {
      jobs[0]?.announce();
    }
    this.#places.show();
  }

  /** Ends a running picture after its current step. False when there is no such job. */
  stop(id: string): boolean {
    if (this.#queue.place(id)?.state !== 'running') return false;
    this.#jobs.get(id)?.stop();
    return true;
  }

  /** Drops a waiting or running picture. False when there is no such job. */
  cancel(id: string): boolean {
    return this.#queue.cancel(id, new Withdrawn('withdrawn'));
  }

  /** A press on a reply's own button: its token reaches that reply for another 15 minutes. */
  renew(id: string, exchange: Exchange, messageId: string): void {
    const job = this.#jobs.get(id);
    if (job === undefined || exchange.token === undefined) return;
    job.renew(exchange.token, messageId);
    this.#keepReply(job);
    this.#places.show();
  }

  /**
   * Something that a person did: private pictures of theirs whose own token may be dead by the time
   * they are done reach them by this one, and those that were done meanwhile come at once.
   */
  seen(exchange: Exchange): void {
    const { token } = exchange;
    if (token === undefined || this.#closing) return;
    this.#track(this.#handOver.all(exchange, token));
    for (const job of this.#jobs.values()) {
      const { userId, reply } = job.generation;
      if (userId !== exchange.userId || !reply.ephemeral) continue;
      if (job.transport.address.tokenExpiresAt >= token.tokenExpiresAt) continue;
      job.transport.relieve(token);
      this.#keepReply(job);
    }
  }

  #keepReply(job: Job): void {
    const reply = { ...job.generation.reply, ...job.transport.address };
    this.#store.setReply(job.id, reply).catch((error: unknown) => this.#bug(error, job.id));
  }

  /** What an unfinished picture was asked for with. */
  promptOf(id: string): string | undefined {
    return this.#jobs.get(id)?.generation.parameters.prompt;
  }

  /** Ids of the person's waiting and running pictures, oldest first. */
  unfinishedOf(userId: string): string[] {
    return [...this.#jobs.values()]
      .filter((job) => job.generation.userId === userId && this.#queue.place(job.id) !== undefined)
      .map((job) => job.id);
  }

  /**
   * Takes up what an earlier process left: jobs are queued again past all limits, files that were
   * not delivered are delivered. Resolves when the engines are ready.
   * @returns how many there were
   */
  async recover(): Promise<number> {
    const ready = this.#engines.allReady();
    // Their buttons are there from the start, and their turn comes when the model has. Where it never
    // does the process ends, and the next one takes them up.
    const gate = ready.then(
      () => {},
      () => new Promise<never>(() => {}),
    );
    const unfinished = (await this.#store.unfinished()).filter((g) => !this.#jobs.has(g.id));
    /** by interaction: the job that has its first reply */
    const firsts = new Map<string, Job>();
    for (const generation of unfinished) {
      const { scheduler, left } = await lookAt(generation, this.#engines);
      const { interactionId, messageId } = generation.reply;
      const first = messageId === null ? firsts.get(interactionId) : undefined;
      const job = this.#jobFor(generation, scheduler, true, first);
      if (messageId !== null && !firsts.has(interactionId)) firsts.set(interactionId, job);
      if (left === 'painting') this.#enqueue(job, gate, true);
      else if (left === 'delivery') this.#track(this.#deliverStored(job, generation));
      else this.#track(this.#conclude(job, left.hindrance));
    }
    if (unfinished.length > 0) this.#places.show();
    await ready;
    return unfinished.length;
  }

  /**
   * Starts nothing more and lets what runs end for up to `graceMs`; the rest stays in the store for
   * the next start, and its replies say so. Takes up to 1.5 s more for that.
   */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#places.close();
    this.#insistence.close();
    const all = [...this.#jobs.values()];
    const farewells = all
      .filter((job) => this.#queue.place(job.id)?.state === 'waiting')
      .map((job) => job.leave());
    const ended = this.#queue
      .drain()
      .then(() => nextTurn()) // in which the last ones begin to be delivered
      .then(() => Promise.all([...this.#work]));
    await Promise.race([ended, delay(graceMs, undefined, { ref: false })]);
    farewells.push(...[...this.#jobs.values()].map((job) => job.leave()));
    await Promise.race([Promise.allSettled(farewells), delay(FAREWELL, undefined, { ref: false })]);
    for (const job of all) job.live.close();
  }

  #jobFor(generation: Promised, scheduler: string, unsure: boolean, first: Job | undefined): Job {
    const { id } = generation;
    const job = new Job(generation, {
      rest: this.#rest,
      scheduler,
      unsure,
      answered: unsure, // those of an earlier process were
      ...(first === undefined ? {} : { first }),
      hooks: {
        // A message that a crash makes twice is a smaller evil than none because a disk is full.
        beforeNewMessage: () =>
          this.#store
            .deliveryStarted(id, Date.now())
            .catch((error: unknown) => this.#bug(error, id)),
        onMessage: (messageId) => {
          this.#store.setMessage(id, messageId).catch((error: unknown) => this.#bug(error, id));
        },
        onRefused: (error) => this.#bug(error, id),
      },
    });
    this.#jobs.set(id, job);
    return job;
  }

  /** @param promised the task waits for it: nothing is painted that is not in the store */
  #enqueue(job: Job, promised: Promise<void>, force: boolean): void {
    const ended = this.#queue.add(
      entryOf(job.generation),
      async (signal) => {
        await promised;
        signal.throwIfAborted();
        return this.#painter.paint(job, signal);
      },
      force,
    );
    // One that is cancelled right away still has to be answered before its end can be told.
    const conclude = (outcome: unknown) =>
      this.#track(promised.catch(() => {}).then(() => this.#conclude(job, outcome)));
    ended.then(conclude, conclude);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#bug(error, undefined))
      .finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Writes the outcome down and tells it. */
  async #conclude(job: Job, outcome: unknown): Promise<void> {
    if (!this.#jobs.has(job.id)) return; // given up before it was promised
    if (this.#closing && !isPainted(outcome) && !(outcome instanceof Withdrawn)) {
      this.#jobs.delete(job.id); // cut off by the end of the process: the next one takes it up
      return;
    }
    await this.#deliver(job, await this.#outcomes.settle(job, outcome));
  }

  async #deliverStored(job: Job, generation: Generation): Promise<void> {
    await this.#deliver(job, await endOf(this.#store, generation, job.facts, job.texts));
  }

  async #deliver(job: Job, body: MessageBody): Promise<void> {
    try {
      await this.#delivery.deliver(job, body);
    } finally {
      this.#jobs.delete(job.id);
    }
  }

  #bug(error: unknown, id: string | undefined): void {
    // Requests hold what people wrote: only what Discord said about them is logged.
    const kind = failureOf(error).kind;
    this.#logger.error({ id, kind, err: withoutRequest(error) }, 'something broke');
  }
}
