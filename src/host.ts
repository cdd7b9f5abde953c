// Which Discord the bot serves: the one its token is for, or the sandbox on this machine.

import { join } from 'node:path';
import type { Config } from './config.js';
import { UserError } from './errors.js';
import { spawnSandbox } from './sandbox/index.js';

export interface Host {
  readonly sandbox: boolean;
  readonly token: string;
  /** REST base without /v10 */
  readonly apiBase: string;
  readonly attachmentHosts: readonly string[];
  /** says how to begin, once the bot is ready */
  announce(): void;
  /** resolves when the sandbox ends unasked */
  readonly lost: Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the sandbox where the settings ask for one or no token is set.
 * @param opened the store, which says whether the data directory is this bot's: a sandbox takes up its
 *   history there only then
 */
export async function discordOrSandbox(config: Config, opened: Promise<unknown>): Promise<Host> {
  if (config.sandbox.enabled) return sandboxHost(config, opened);
  const { token, apiBase } = config.discord;
  if (token === undefined) throw new UserError('config-invalid', 'DISCORD_TOKEN is not set.');
  return {
    sandbox: false,
    token,
    apiBase,
    attachmentHosts: config.attachmentHosts,
    announce: () => {},
    lost: new Promise(() => {}),
    close: async () => {},
  };
}

async function sandboxHost(config: Config, opened: Promise<unknown>): Promise<Host> {
  const { port, portMayDiffer } = config.sandbox;
  const directory = join(config.dataDirectory, 'sandbox');
  const options = { port, fixedPort: !portMayDiffer, directory };
  const sandbox = await spawnSandbox(options, opened).catch(async (error: Error) => {
    await opened; // what it refuses for is the reason
    throw new UserError('sandbox-failed', `The sandbox did not start: ${error.message}`);
  });
  return {
    sandbox: true,
    token: sandbox.token,
    apiBase: sandbox.apiBase,
    attachmentHosts: [...config.attachmentHosts, new URL(sandbox.url).host],
    announce() {
      const why =
        config.discord.token === undefined ? 'No DISCORD_TOKEN is set' : 'YLEM_SANDBOX is 1';
      process.stdout.write(
        `\n  ${why}, so a sandbox stands in for Discord. Open it and paint:\n\n    ${sandbox.url}\n\n`,
      );
    },
    lost: sandbox.lost,
    close: () => sandbox.close(),
  };
}
