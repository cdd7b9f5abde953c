// What the rest of the project sees of the sandbox.

export { createSandbox } from './sandbox.js';
export { type SpawnedSandbox, spawnSandbox } from './spawn.js';
export type * from './types.js';
