// Entry of the sandbox's own process. Ends when its parent lets go of it or is gone.

import { createSandbox } from './sandbox.js';
import type { ChildMessage, SpawnOptions } from './spawn.js';

const options = JSON.parse(process.argv[2] ?? '{}') as SpawnOptions;

/** Nobody reads the requests of a sandbox that is no test's. */
const REMEMBERED = 300;

function tell(message: ChildMessage): Promise<void> {
  return new Promise((done) => {
    if (process.send) process.send(message, () => done());
    else done();
  });
}

// Ctrl-C reaches the whole group; the bot still needs the sandbox for its last words.
process.on('SIGINT', () => undefined);

try {
  const sandbox = await createSandbox({ ...options, remembered: REMEMBERED });
  const end = () => {
    sandbox.close().finally(() => process.exit(0));
  };
  process.on('disconnect', end);
  process.on('SIGTERM', end);
  if (!process.connected) end();
  await tell({ type: 'ready', url: sandbox.url, apiBase: sandbox.apiBase, token: sandbox.token });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const text =
    code === 'EADDRINUSE'
      ? `The sandbox's port ${options.port} is taken.`
      : `The sandbox cannot start: ${message}`;
  await tell({ type: 'failed', message: text });
  process.exit(1);
}
