// Starts the bot: engines first, then all the rest beside them.

import { EnginePool } from './commands/engines.js';
import { loadConfig } from './config.js';
import { createEngine, usualBudget } from './engine/index.js';
import { createLogger } from './log.js';
import { endOnBugs, exitOn } from './process.js';

/** Runs the bot until it is told to end. Failing to start ends the process with status 1. */
export async function start(): Promise<void> {
  // What people ask for, and the tokens that answer them, are nobody else's to read.
  process.umask(0o077);
  const config = loadConfig();
  const logger = createLogger(config.logLevel, process.stdout, [config.discord.token ?? '']);
  endOnBugs(logger);
  for (const warning of config.warnings) logger.warn(warning);
  try {
    const { modelDirectory, modelsDirectory, providers, safety, threads } = config;
    const memoryBytes = (config.modelMemory ?? usualBudget()) / config.engines;
    const settings = {
      ...{ modelDirectory, modelsDirectory, memoryBytes, providers, safety, logger },
      ...(threads ? { threads } : {}),
    };
    const engines = Array.from({ length: config.engines }, () => createEngine(settings));
    // The imports below hold the event loop for a second, in which nothing else would be told.
    await Promise.all(engines.map(({ asked }) => asked));
    await (await import('./bot.js')).serve(config, new EnginePool(engines), logger);
  } catch (error) {
    exitOn(error, logger);
  }
}
