// What the rest of the bot imports of the engine.

export { usualBudget } from './memory.js';
export type { EngineSettings, Safety } from './settings.js';
export { createEngine, type LocalEngine } from './supervisor.js';
export * from './types.js';
