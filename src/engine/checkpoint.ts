// What a run needs to be taken up again, as bytes for the store: the pipeline's own checkpoint and
// what the final file's text says about a branch, which no later try could know otherwise.

import { deserialize, serialize } from 'node:v8';

/** The origin of a branch, which its infotext names. */
export interface Branch {
  readonly fromStep: number;
  readonly seed: number;
}

export interface Checkpoint {
  readonly branch: Branch | undefined;
  /** from `Step.checkpoint()` */
  readonly state: Uint8Array;
}

/** Without a branch the state is all there is to say: it is large, and is not copied at every step. */
export function packCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return checkpoint.branch === undefined ? checkpoint.state : serialize(checkpoint);
}

/** @throws Error when the bytes are no checkpoint */
export function unpackCheckpoint(bytes: Uint8Array): Checkpoint {
  const packed = deserialize(bytes) as Partial<Checkpoint>;
  // Own memory, aligned: the view that deserialize gives begins anywhere.
  return { branch: packed.branch, state: Uint8Array.from(packed.state ?? bytes) };
}
