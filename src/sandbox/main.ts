// `ylem sandbox`: the sandbox on its own, for a bot that is started elsewhere.

import { createSandbox } from './sandbox.js';
import type { SandboxOptions } from './types.js';

/** Runs until SIGINT or SIGTERM; resolves when everything is written. */
export async function main(options: SandboxOptions = {}): Promise<void> {
  const sandbox = await createSandbox(options);
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
