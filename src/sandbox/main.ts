// `ylem sandbox`: the sandbox on its own, for a bot that is started elsewhere.

import { UserError } from '../errors.js';
import { createSandbox } from './sandbox.js';
import type { SandboxOptions } from './types.js';

/** Tried first, as it is by the bot's own sandbox; any free port where it is taken. */
const USUAL_PORT = 4777;
/** requests and pings: tests read more of them, here nobody does */
const REMEMBERED = 300;

/** YLEM_SANDBOX_PORT as for `ylem start`: a port that is asked for is not exchanged for another. */
function portFromEnvironment(): Pick<SandboxOptions, 'port' | 'fixedPort'> {
  const text = process.env.YLEM_SANDBOX_PORT;
  if (text === undefined || text === '') return { port: USUAL_PORT };
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UserError(
      'sandbox-port',
      'YLEM_SANDBOX_PORT must be a whole number from 0 to 65535.',
    );
  }
  return { port, fixedPort: true };
}

/** Runs until SIGINT or SIGTERM; resolves when everything is written. */
export async function main(options: SandboxOptions = {}): Promise<void> {
  const sandbox = await createSandbox({
    ...portFromEnvironment(),
    remembered: REMEMBERED,
    ...options,
  }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new UserError('sandbox-port', `The port ${process.env.YLEM_SANDBOX_PORT} is taken.`);
  });
  process.stdout.write(
    [
      `Open ${sandbox.url}`,
      '',
      'For a bot:',
      `  DISCORD_API_BASE=${sandbox.apiBase}`,
      `  DISCORD_TOKEN=${sandbox.token}`,
      `  YLEM_ATTACHMENT_HOSTS=127.0.0.1:${sandbox.port}`,
      '',
    ].join('\n'),
  );
  await new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
  await sandbox.close();
}
