// Takes wishes to pictures: reserved in the queue, promised in the store, painted by an engine,
// shown in a live reply, delivered once. What a restart finds unfinished goes on here as well.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isForOperator, tellFailure } from '../discord/errors.js';
import type { Exchange } from '../discord/exchange.js';
import { failureOf } from '../discord/failures.js';
import { type MessageBody, ORIGINAL, type ReplyToken } from '../discord/message.js';
import { endedPanel } from '../discord/panels.js';
import { within } from '../discord/patience.js';
import type { MessageRest } from '../discord/rest.js';
import { textsFor } from '../discord/texts/index.js';
import { EngineDied, type OfferedModel, RunCancelled } from '../engine/types.js';
import { shuttingDown, UserError } from '../errors.js';
import { checkParameters } from '../pipeline/parameters.js';
import type { GenerationParameters } from '../pipeline/types.js';
import type { Queue } from '../queue/types.js';
import type {
  Generation,
  InitSource,
  NewGeneration,
  ParentRelation,
  Store,
} from '../store/types.js';
import { Claims } from './claims.js';
import { endOf, pictureOf } from './endings.js';
import { type EnginePool, modelOf } from './engines.js';
import { factsOf, modelName, type Promised } from './facts.js';
import { checkFits } from './fitting.js';
import { Job } from './job.js';
import { withoutRequest } from './log-safe.js';
import { entryOf, isPainted, type Painted, Painter } from './painting.js';
import type { Rules } from './types.js';

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

/** Thrown through the queue when the owner gives a picture up. */
class Withdrawn extends Error {}

/** ms between looks at the waiting replies while only time has passed */
const REFRESH = 5000;
/** ms that an acknowledgement waits for the disk at most */
const SLOW_DISK = 1000;
/** ms that the word of a restart may take on its way */
const FAREWELL = 1500;
/** ms between tries of a write that the disk did not take */
const DISK_AGAIN = 5000;
/** ms within which changes of the queue are shown together */
const GATHER = 100;

export class Generations {
  readonly #store: Store;
  readonly #queue: Queue;
  readonly #claims: Claims;
  readonly #engines: EnginePool;
  readonly #rest: MessageRest;
  readonly #rules: Rules;
  readonly #logger: Logger;
  readonly #painter: Painter;
  /** by id: everything that is queued, runs or is being delivered in this process */
  readonly #jobs = new Map<string, Job>();
  /** outcomes being written down and delivered */
  readonly #work = new Set<Promise<void>>();
  readonly #stopListening: () => void;
  readonly #refreshTimer: NodeJS.Timeout;
  #gatherTimer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: GenerationsOptions) {
    this.#store = options.store;
    this.#claims = new Claims(options.store);
    this.#queue = options.queue;
    this.#engines = options.engines;
    this.#rest = options.rest;
    this.#rules = options.rules;
    this.#logger = options.logger;
    this.#painter = new Painter({
      ...options,
      bug: (error, id) => this.#bug(error, id),
      insist: (id, write) => this.#insist(id, write),
    });
    this.#stopListening = this.#queue.onChange(() => this.#gather());
    this.#refreshTimer = setInterval(() => this.#showPlaces(), REFRESH).unref();
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
    const now = Date.now();
    const ids = wishes.map(() => newId());
    // The files are sent to the store once; the other pictures of a command begin from the first's.
    const initOf = (index: number): { init?: InitSource } => {
      const init = wishes[index]?.init;
      if (init === undefined) return {};
      const shared = index > 0 && 'image' in init && init === wishes[0]?.init;
      return { init: shared ? { from: ids[0] as string } : init };
    };
    const generations = wishes.map((wish, index): NewGeneration => {
      const address = exchange.address(ephemeral);
      return {
        id: ids[index] as string,
        userId: exchange.userId,
        // By its name, so that what follows on this picture finds its model when the default changes.
        parameters: { ...wish.parameters, model: model.name },
        model: modelName(model),
        parentId: wish.parent?.id ?? null,
        parentRelation: wish.parent?.relation ?? null,
        branchStep: wish.parent?.branch?.step ?? null,
        branchSeed: wish.parent?.branch?.seed ?? null,
        ...initOf(index),
        reply: {
          ...address,
          // The first picture takes the reply; the others get a message each, made when it is shown.
          messageId: index === 0 ? ORIGINAL : null,
          guildId: exchange.guildId,
          locale: exchange.locale,
          attachmentLimit: exchange.attachmentLimit,
        },
        createdAt: now + index,
      };
    });
    const jobs: Job[] = [];
    for (const { init, ...promise } of generations) {
      const generation = {
        ...promise,
        hasInit: init !== undefined,
        hasMask: wishes[jobs.length]?.masked ?? false,
      };
      jobs.push(this.#jobFor(generation, model.defaultScheduler, false, jobs[0]));
    }
    // On disk before it is acknowledged; only a disk that hangs must not cost Discord's 3 s.
    const stored = Promise.all(generations.map((generation) => this.#store.create(generation)));
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
    this.#showPlaces();
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
    this.#showPlaces();
  }

  /**
   * Something that a person did: private pictures of theirs whose own token may be dead by the time
   * they are done reach them by this one, and those that were done meanwhile come at once.
   */
  seen(exchange: Exchange): void {
    const { token } = exchange;
    if (token === undefined || this.#closing) return;
    this.#track(this.#handOver(exchange, token));
    for (const job of this.#jobs.values()) {
      const { userId, reply } = job.generation;
      if (userId !== exchange.userId || !reply.ephemeral) continue;
      if (job.transport.address.tokenExpiresAt >= token.tokenExpiresAt) continue;
      job.transport.relieve(token);
      this.#keepReply(job);
    }
  }

  /** Sends what waits for a person along with something that they did, to them alone. */
  async #handOver(exchange: Exchange, token: ReplyToken): Promise<void> {
    for (const id of await this.#claims.take(exchange.userId)) {
      const settled = await this.#hand(id, exchange, token).catch((error: unknown) => {
        const { kind } = failureOf(error);
        if (kind === 'refused') this.#bug(error, id);
        return kind === 'refused' && !(error instanceof UserError); // the store may do it later
      });
      if (settled) await this.#claims.done(exchange.userId, id);
      else this.#claims.putBack(id);
    }
  }

  /** @returns false where it has to wait on */
  async #hand(id: string, exchange: Exchange, token: ReplyToken): Promise<boolean> {
    const generation = await this.#store.get(id);
    if (generation === undefined) return true; // removed meanwhile
    const { parameters, reply } = generation;
    const model = this.#engines.offered.find(({ name }) => name === parameters.model);
    const facts = factsOf(generation, model?.defaultScheduler ?? '');
    const body = await endOf(this.#store, generation, facts, textsFor(exchange.locale));
    // What was painted for a wider limit waits for it to come back; /steps has it meanwhile.
    const size = body.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (size > exchange.attachmentLimit) return false;
    const { applicationId } = reply;
    const address = { ...token, applicationId, messageId: null, ephemeral: true };
    await this.#rest.followUp(address, body);
    return true;
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
    const firsts = new Map<string, Job>();
    for (const generation of unfinished) {
      const { interactionId, messageId } = generation.reply;
      const first = messageId === null ? firsts.get(interactionId) : undefined;
      const found = this.#engines.model(generation.parameters.model);
      const model = await found.catch((error: unknown) => error);
      const scheduler = isOffered(model) ? model.defaultScheduler : '';
      const job = this.#jobFor(generation, scheduler, true, first);
      if (messageId !== null && !firsts.has(interactionId)) firsts.set(interactionId, job);
      if (generation.state === 'queued' || generation.state === 'running') {
        if (isOffered(model) && generation.model === modelName(model)) {
          this.#enqueue(job, gate, true);
        } else {
          const changed = 'The model was changed before this picture began.';
          const error = isOffered(model) ? new UserError('model-changed', changed) : model;
          this.#track(this.#conclude(job, error));
        }
      } else {
        this.#track(this.#deliverStored(job, generation));
      }
    }
    if (unfinished.length > 0) this.#showPlaces();
    await ready;
    return unfinished.length;
  }

  /**
   * Starts nothing more and lets what runs end for up to `graceMs`; the rest stays in the store for
   * the next start, and its replies say so. Takes up to 1.5 s more for that.
   */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#stopListening();
    clearInterval(this.#refreshTimer);
    clearTimeout(this.#gatherTimer);
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
  async #conclude(job: Job, outcome: Painted | unknown): Promise<void> {
    const { id, reply } = job.generation;
    if (!this.#jobs.has(id)) return; // given up before it was promised
    if (isPainted(outcome)) {
      await this.#deliver(job, pictureOf(job.generation, job.facts, outcome, job.texts));
      return;
    }
    const withdrawn = outcome instanceof Withdrawn || outcome instanceof RunCancelled;
    if (this.#closing && !(outcome instanceof Withdrawn)) {
      this.#jobs.delete(id); // cut off by the end of the process: the next one takes it up
      return;
    }
    if (withdrawn) {
      await this.#writeEnd(id, { state: 'cancelled' });
      this.#logger.info({ id }, 'cancelled');
      await this.#deliver(job, endedPanel(job.facts, job.texts.cancelled, job.texts));
      return;
    }
    const error =
      outcome instanceof EngineDied
        ? new UserError(
            'engine-died',
            'The engine died twice over this picture; try a smaller one.',
          )
        : outcome;
    if (outcome instanceof EngineDied)
      this.#logger.error({ id, err: outcome }, 'the engine died twice');
    else if (isForOperator(error)) this.#bug(error, id);
    const failure = tellFailure(error, reply.locale, id);
    await this.#writeEnd(id, { state: 'failed', failure });
    await this.#deliver(job, endedPanel(job.facts, failure, job.texts));
  }

  /**
   * A write that a later start would miss. Where the disk does not take it now, its news goes on all
   * the same, and it is tried again until the disk does, or this process ends.
   */
  async #insist(id: string, write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      this.#bug(error, id);
      this.#writeLater(write);
    });
  }

  /** Each try begins when the last has failed: on a disk that hangs they must not pile up. */
  #writeLater(write: () => Promise<void>): void {
    setTimeout(() => {
      if (!this.#closing) write().catch(() => this.#writeLater(write));
    }, DISK_AGAIN).unref();
  }

  /** What cannot be written down is told all the same; the next start then takes it up again. */
  async #writeEnd(
    id: string,
    outcome:
      | { readonly state: 'cancelled' }
      | { readonly state: 'failed'; readonly failure: string },
  ): Promise<void> {
    const endedAt = Date.now();
    await this.#insist(id, () => this.#store.finish(id, outcome, endedAt));
  }

  async #deliverStored(job: Job, generation: Generation): Promise<void> {
    await this.#deliver(job, await endOf(this.#store, generation, job.facts, job.texts));
  }

  async #deliver(job: Job, body: MessageBody): Promise<void> {
    try {
      let delivery = await job.live.finish(body);
      if (delivery === 'refused') {
        // A bug of ours, logged by now. The picture is kept for /steps; the reply says what it can.
        delivery = await job.live.finish(endedPanel(job.facts, job.texts.broke(job.id), job.texts));
      }
      // Where the bot may not write it reaches its owner with whatever they do next, and so does what
      // their own token may upload, but not the bot's.
      const forbidden = delivery === 'forbidden';
      const tooLarge = delivery === 'too-large';
      if (tooLarge)
        delivery = await job.live.finish(endedPanel(job.facts, job.texts.tooLarge, job.texts));
      if (forbidden || tooLarge || job.transport.noticed)
        await this.#insist(job.id, () => this.#claims.add(job.generation.userId, job.id));
      if (delivery !== 'abandoned')
        await this.#insist(job.id, () => this.#store.delivered(job.id, job.transport.messageId));
      if (forbidden)
        this.#logger.warn(
          { id: job.id, channel: job.generation.reply.channelId },
          'the bot may not write in this channel; the picture waits for its owner',
        );
      if (delivery === 'gone')
        this.#logger.info({ id: job.id }, 'the reply is gone; nothing was sent');
    } finally {
      this.#jobs.delete(job.id);
    }
  }

  #gather(): void {
    this.#gatherTimer ??= setTimeout(() => {
      this.#gatherTimer = undefined;
      this.#showPlaces();
    }, GATHER).unref();
  }

  #showPlaces(): void {
    if (this.#closing) return;
    for (const job of this.#jobs.values()) {
      const place = this.#queue.place(job.id);
      if (place !== undefined) job.showPlace(place);
    }
  }

  #bug(error: unknown, id: string | undefined): void {
    // Requests hold what people wrote: only what Discord said about them is logged.
    const kind = failureOf(error).kind;
    this.#logger.error({ id, kind, err: withoutRequest(error) }, 'something broke');
  }
}

function isOffered(model: unknown): model is OfferedModel {
  return typeof model === 'object' && model !== null && 'offered' in model;
}

/** An id that fits into custom ids and nonces: 12 characters of base64url, 72 bits. */
export function newId(): string {
  return randomBytes(9).toString('base64url');
}
