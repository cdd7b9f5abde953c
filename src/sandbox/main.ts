// `ylem sandbox`: the sandbox on its own, for a bot that is started elsewhere.

import { UserError } from '../errors.js';
import { onParentGone } from '../parent.js';
import { createSandbox } from './sandbox.js';
import type { SandboxOptions } from './types.js';

/** requests and pings: tests read more of them, here nobody does */
const REMEMBERED = 300;

/** Runs until SIGINT or SIGTERM; resolves when everything is written. */
export async function main(options: SandboxOptions = {}): Promise<void> {
  const sandbox = await createSandbox({ remembered: REMEMBERED, ...options }).catch(
    (error: NodeJS.ErrnoException) => {
      const sentence =
        error.code === 'EADDRINUSE'
          ? `The sandbox's port ${options.port} is taken.`
          : error.code === 'EACCES'
            ? `The sandbox may not use port ${options.port}.`
            : undefined;
      throw sentence === undefined ? error : new UserError('sandbox-port', sentence);
    },
  );
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
    onParentGone(done);
  });
  await sandbox.close();
}
