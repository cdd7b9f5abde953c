// The thread that holds the database. All requests that are waiting share one transaction, so that
// fifty promises made at once cost one flush of the disk; each is answered when that is done.

import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import { storeFault } from './faults.js';
import { createMethods, type Methods } from './methods.js';
import { openDatabase } from './open.js';
import {
  type Answer,
  buffersOf,
  type MethodName,
  OPENED,
  type Request,
  sendError,
} from './protocol.js';
import type { Database } from './sqlite.js';

type MethodRequest = Extract<Request, { method: MethodName }>;

/** Requests of one transaction: a long line of them is answered piece by piece. */
const BATCH = 64;

if (parentPort === null) throw new Error('this module is the entry of a worker thread');
await main(parentPort, workerData as { readonly directory: string });

async function main(
  port: MessagePort,
  { directory }: { readonly directory: string },
): Promise<void> {
  let database: Database;
  let file: string;
  try {
    ({ database, file } = await openDatabase(directory));
  } catch (error) {
    port.postMessage({ number: OPENED, error: sendError(error) } satisfies Answer);
    return;
  }
  const methods = createMethods(database);
  port.on('message', (first: Request) => {
    let next: Request | undefined = first;
    while (next !== undefined) {
      const batch: Request[] = [];
      for (; next !== undefined && batch.length < BATCH; next = take(port)) batch.push(next);
      serve(batch);
      next ??= take(port);
    }
  });
  port.postMessage({ number: OPENED, value: undefined } satisfies Answer);

  function serve(batch: readonly Request[]): void {
    let together: MethodRequest[] = [];
    for (const request of batch) {
      if (request.method !== 'compact' && request.method !== 'close') {
        together.push(request as MethodRequest);
        continue;
      }
      answerAll(port, transact(database, methods, together, file));
      together = [];
      answerAll(port, [request.method === 'close' ? close(request) : compact(request)]);
    }
    answerAll(port, transact(database, methods, together, file));
  }

  function compact({ number, args }: Extract<Request, { method: 'compact' }>): Answer {
    try {
      database.exec(`PRAGMA incremental_vacuum(${Math.trunc(args[0])})`);
      const row = database.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
      // The file itself shrinks when the log is written back to it.
      if (row.freelist_count === 0) database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return { number, value: row.freelist_count };
    } catch (error) {
      return { number, error: sendError(storeFault(error, file)) };
    }
  }

  function close({ number }: Request): Answer {
    try {
      try {
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } catch {
        // The disk is full: the log stays beside the database, and is read with it at the next start.
      }
      database.close();
      return { number, value: undefined };
    } catch (error) {
      return { number, error: sendError(storeFault(error, file)) };
    }
  }
}

function take(port: MessagePort): Request | undefined {
  return (receiveMessageOnPort(port) as { message: Request } | undefined)?.message;
}

/** Carries out requests in one transaction. A request that fails leaves the others as they are. */
function transact(
  database: Database,
  methods: Methods,
  requests: readonly MethodRequest[],
  file: string,
): Answer[] {
  if (requests.length === 0) return [];
  const answers: Answer[] = [];
  try {
    database.exec('BEGIN IMMEDIATE');
    for (const request of requests) {
      database.exec('SAVEPOINT request');
      try {
        const value = carryOut(methods, request);
        database.exec('RELEASE request');
        answers.push({ number: request.number, value });
      } catch (error) {
        // A full disk or a failing one ends the whole transaction by itself.
        if (!database.isTransaction) throw error;
        database.exec('ROLLBACK TO request; RELEASE request');
        answers.push({ number: request.number, error: sendError(storeFault(error, file)) });
      }
    }
    database.exec('COMMIT');
    return answers;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    // A disk that is full takes nothing more, but what is on it can be read: each by itself.
    if (requests.length > 1)
      return requests.flatMap((request) => transact(database, methods, [request], file));
    const sent = sendError(storeFault(error, file));
    return requests.map(({ number }) => ({ number, error: sent }));
  }
}

function carryOut(methods: Methods, { method, args }: MethodRequest): unknown {
  // The pairs of method and arguments are checked where requests are made.
  return (methods[method] as (...args: unknown[]) => unknown)(...args);
}

function answerAll(port: MessagePort, answers: readonly Answer[]): void {
  for (const answer of answers) port.postMessage(answer, [...buffersOf(answer)]);
}
