// Where a picture comes from: whose its steps are.

import type { Generation, Store } from '../store/types.js';

/** The generation that made the given step: this one, or the one it branched from. */
export async function ownerOfStep(
  store: Store,
  generation: Generation,
  step: number,
): Promise<Generation | undefined> {
  let owner: Generation | undefined = generation;
  while (owner !== undefined && owner.branchStep !== null && step <= owner.branchStep) {
    owner = owner.parentId === null ? undefined : await store.get(owner.parentId);
  }
  return owner;
}
