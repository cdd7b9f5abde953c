// The settings as commands on a terminal read them: what has no effect is told on stderr.

import { type Config, loadConfig } from '../config.js';

/** @throws UserError 'config-invalid' */
export function settings(): Config {
  const config = loadConfig();
  for (const warning of config.warnings) process.stderr.write(`ylem: ${warning}\n`);
  return config;
}
