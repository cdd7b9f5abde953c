// What a queue backend does. The local one (p-queue) and the cluster one pass the same tests.

export interface QueueLimits {
  /** jobs of one user that wait or run */
  readonly perUser: number;
  /** jobs that wait or run in all */
  readonly total: number;
}

export interface QueueEntry {
  readonly id: string;
  readonly userId: string;
  /** denoising steps times pixels over 256x256: what a job weighs in the expected waiting time */
  readonly work: number;
  /** what paints it: jobs of one model take alike for each unit of work; absent: they all do */
  readonly model?: string;
}

export interface Place {
  readonly state: 'waiting' | 'running';
  /** jobs that will start before this one; 0 for the next and for a running one */
  readonly ahead: number;
  /** waiting jobs and running ones in all */
  readonly total: number;
  /** ms until it starts (waiting) or ends (running), from measured times; undefined before any */
  readonly expectedMs: number | undefined;
}

/** Rejects the jobs that still wait when the queue is drained; they never ran. */
export class QueueClosed extends Error {
  constructor() {
    super('the queue starts no more jobs');
    this.name = 'QueueClosed';
  }
}

/** The queue: fair between users, limited per user and in all. */
export interface Queue {
  /**
   * Adds a job. Rejects with UserError 'queue-full' or 'queue-user-limit' when a limit is reached;
   * `force` passes the limits (jobs that were promised before a restart).
   * `task` runs in its turn; its signal aborts when the job is cancelled. The returned promise
   * settles with the task; it rejects with the signal's reason when the job is cancelled while it
   * waits, and with QueueClosed when the queue is drained before its turn. The slot is free again
   * in every case, when the task has settled.
   */
  add<T>(entry: QueueEntry, task: (signal: AbortSignal) => Promise<T>, force?: boolean): Promise<T>;
  /** throws the UserError that `add` would throw for `count` more jobs of this user */
  check(userId: string, count: number): void;
  place(id: string): Place | undefined;
  /** waiting in the order they will run, after the running ones */
  list(): readonly QueueEntry[];
  /** true when there was such a job */
  cancel(id: string, reason?: unknown): boolean;
  /** feeds the expected times: work units done in that many ms by a model */
  measured(work: number, milliseconds: number, model?: string): void;
  /** calls back whenever any place may have changed; returns the function that ends it */
  onChange(listener: () => void): () => void;
  /**
   * Starts no more jobs: those that wait, and all that are added from now on, reject with
   * QueueClosed. Resolves when the running ones have settled.
   */
  drain(): Promise<void>;
}
