// Requests beside the runs, from being asked to being answered, over the deaths of processes.

import type { EncodedImage } from '../pipeline/types.js';
import { type Deferred, deferred } from './deferred.js';
import type { EngineProcess } from './process.js';
import type { EngineRequest } from './protocol.js';

interface OpenRequest {
  readonly request: EngineRequest;
  readonly reply: Deferred<EncodedImage>;
  sent: boolean;
  deaths: number;
}

export class Requests {
  readonly #open = new Map<number, OpenRequest>();
  #ids = 0;

  /** It is sent with the next `send`. */
  add(request: EngineRequest): Promise<EncodedImage> {
    const open: OpenRequest = { request, reply: deferred(), sent: false, deaths: 0 };
    this.#open.set(++this.#ids, open);
    return open.reply.promise;
  }

  /** Gives a process what no process has. */
  send(process: EngineProcess): void {
    for (const [id, open] of this.#open) {
      if (open.sent) continue;
      open.sent = true;
      process.send({ kind: 'request', id, request: open.request });
    }
  }

  settle(id: number, tell: (reply: Deferred<EncodedImage>) => void): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (open !== undefined) tell(open.reply);
  }

  /**
   * The process is gone: what it had goes to the next one.
   * @param counts its death may be a request's fault
   * @param most deaths that one request may cause; then it is rejected with `error`
   */
  orphaned(counts: boolean, most: number, error: () => Error): void {
    for (const [id, open] of this.#open) {
      if (!open.sent) continue;
      open.sent = false;
      if (counts) open.deaths += 1;
      if (open.deaths >= most) this.settle(id, (reply) => reply.reject(error()));
    }
  }

  rejectAll(error: Error): void {
    for (const id of [...this.#open.keys()]) this.settle(id, (reply) => reply.reject(error));
  }
}
