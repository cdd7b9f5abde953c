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

/** Starts the sandbox where the settings ask for one or no token is set. */
export async function discordOrSandbox(config: Config): Promise<Host> {
  if (config.sandbox.enabled) return sandboxHost(config);
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

async function sandboxHost(config: Config): Promise<Host> {
  const sandbox = await spawnSandbox({
    port: config.sandbox.port,
    fixedPort: !config.sandbox.portMayDiffer,
    directory: join(config.dataDirectory, 'sandbox'),
  }).catch((error: Error) => {
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
