// What the rest of the bot imports of the engine.

export { usualBudget } from './memory.js';
export { createEngine, type EngineSettings, type LocalEngine } from './supervisor.js';
export * from './types.js';
