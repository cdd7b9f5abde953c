// The store as the bot uses it: every call goes to a worker thread that holds the database.

import { Worker } from 'node:worker_threads';
import { compiledEntry } from '../entry.js';
import type { Methods, RemoteMethods } from './methods.js';
import { type Answer, buffersOf, OPENED, receiveError } from './protocol.js';
import type { RetentionReport, Store } from './types.js';

export type * from './types.js';

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Generations removed in one transaction: others' writes get in between. */
const RETAIN_AT_ONCE = 8;
/** Pages (4 KiB) given back to the disk at once. */
const COMPACT_AT_ONCE = 2048;
const DAY = 24 * 60 * 60 * 1000;
const GIGABYTE = 1e9;

/**
 * Opens the store in a directory, which is made where it is missing.
 *
 * Changes to a generation that is not there (any more) do nothing, nor do those that come after its
 * end: the first outcome stands. Byte arrays that are given are copied and stay the caller's.
 *
 * @throws UserError 'store-unwritable', 'store-damaged', 'store-foreign', 'store-newer',
 *   'store-in-use' (by another process: there is one bot to a directory), 'store-full' or 'store-io'
 */
export async function openStore(directory: string): Promise<Store> {
  const thread = new Thread(directory);
  await thread.opened.catch(async (error: unknown) => {
    // The thread lets go of the file when it ends: only then is the refusal complete.
    await thread.exited;
    throw error;
  });
  const store: Store = {
    create: (generation) => {
      const { init } = generation;
      if (init === undefined || 'from' in init) return thread.call('create', [generation]);
      const image = new Uint8Array(init.image);
      const mask = init.mask === undefined ? {} : { mask: new Uint8Array(init.mask) };
      return thread.call('create', [{ ...generation, init: { image, ...mask } }]);
    },
    init: (id) => thread.call('init', [id]),
    get: (id) => thread.call('get', [id]),
    byMessage: (messageId) => thread.call('byMessage', [messageId]),
    latest: (userId, limit, withImage) => thread.call('latest', [userId, limit, withImage]),
    chances: (parentId, branchSeed) => thread.call('chances', [parentId, branchSeed]),
    unfinished: () => thread.call('unfinished', []),
    setMessage: (id, messageId) => thread.call('setMessage', [id, messageId]),
    setReply: (id, reply) => thread.call('setReply', [id, reply]),
    start: (id, startedAt) => thread.call('start', [id, startedAt]),
    keepStep: (id, step, checkpoint) => {
      const { index, total, timestep, dims } = step;
      const latents = new Uint16Array(step.latents);
      const predictedOriginal = new Uint16Array(step.predictedOriginal);
      const copy = { index, total, timestep, dims, latents, predictedOriginal };
      const state = checkpoint && new Uint8Array(checkpoint);
      return thread.call('keepStep', [id, copy, state]);
    },
    checkpoint: (id) => thread.call('checkpoint', [id]),
    finish: (id, outcome, endedAt) => {
      if (!('file' in outcome)) return thread.call('finish', [id, outcome, endedAt]);
      const { type, width, height } = outcome.file;
      const file = { type, width, height, bytes: new Uint8Array(outcome.file.bytes) };
      return thread.call('finish', [id, { ...outcome, file }, endedAt]);
    },
    deliveryStarted: (id, at) => thread.call('deliveryStarted', [id, at]),
    delivered: (id, messageId) => thread.call('delivered', [id, messageId]),
    steps: (id, last) => thread.call('steps', [id, last]),
    step: (id, index) => thread.call('step', [id, index]),
    file: (id) => thread.call('file', [id]),
    remove: (id) => thread.call('remove', [id]),
    openAnswer: (answer) => thread.call('openAnswer', [answer]),
    closeAnswer: (interactionId) => thread.call('closeAnswer', [interactionId]),
    openAnswers: () => thread.call('openAnswers', []),
    setting: (key) => thread.call('setting', [key]),
    setSetting: (...args) => thread.call('setSetting', args),
    retain: (keepDays, keepGb, now) => retain(thread, now - keepDays * DAY, keepGb * GIGABYTE, now),
    lost: thread.lost,
    close: () => thread.close(),
  };
  return store;
}

async function retain(
  thread: Thread,
  before: number,
  keepBytes: number,
  now: number,
): Promise<RetentionReport> {
  let generations = 0;
  let bytes = 0;
  for (let more = true; more; ) {
    const some = await thread.call('retainSome', [before, keepBytes, RETAIN_AT_ONCE, now]);
    generations += some.generations;
    bytes += some.bytes;
    more = some.more;
  }
  if (generations > 0) {
    let left = Number.POSITIVE_INFINITY;
    for (let next = await thread.compact(COMPACT_AT_ONCE); next < left && next > 0; ) {
      left = next;
      next = await thread.compact(COMPACT_AT_ONCE);
    }
  }
  return { generations, bytes };
}

/** The parent's side of the worker: numbers the requests and settles them by their answers. */
class Thread {
  /** resolves when the database is open; rejects with what keeps it from being so */
  readonly opened: Promise<void>;
  readonly exited: Promise<void>;
  /** resolves with the reason when the thread ends unasked */
  readonly lost: Promise<Error>;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #number = OPENED;
  /** why there are no more answers */
  #ended: Error | undefined;
  #closing: Promise<void> | undefined;

  constructor(directory: string) {
    this.#worker = new Worker(compiledEntry(import.meta.url, './worker.js'), {
      workerData: { directory },
      execArgv: [],
    });
    this.opened = new Promise((resolve, reject) => {
      this.#pending.set(OPENED, { resolve: () => resolve(), reject });
    });
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (error) => this.#end(error));
    this.exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#end(new Error("the store's thread has ended"));
        resolve();
      });
    });
    this.lost = new Promise((resolve) => {
      void this.exited.then(() => {
        if (this.#closing === undefined && this.#ended !== undefined) resolve(this.#ended);
      });
    });
  }

  call<M extends keyof RemoteMethods>(
    method: M,
    args: Parameters<Methods[M]>,
  ): Promise<ReturnType<Methods[M]>> {
    return this.#request(method, args) as Promise<ReturnType<Methods[M]>>;
  }

  compact(pages: number): Promise<number> {
    return this.#request('compact', [pages]) as Promise<number>;
  }

  /** Ends the thread after all that was asked before. */
  close(): Promise<void> {
    this.#closing ??= this.#request('close', []).then(async () => {
      this.#ended ??= new Error('the store is closed');
      await this.#worker.terminate();
    });
    return this.#closing;
  }

  #request(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(new Error('the store is closed'));
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const number = ++this.#number;
      this.#pending.set(number, { resolve, reject });
      // The process stays for what it has asked, and not for a store that has nothing to do.
      this.#worker.ref();
      this.#worker.postMessage({ number, method, args }, [...buffersOf(args)]);
    });
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.number);
    this.#pending.delete(answer.number);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in answer) pending?.reject(receiveError(answer.error));
    else pending?.resolve(answer.value);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }
}
