// Entry of the sandbox's own process. Ends when its parent lets go of it or is gone.

import { once } from 'node:events';
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

// The parent says when the directory may be touched. One that is gone says nothing any more.
const gone = () => process.exit(0);
process.once('disconnect', gone);
if (process.send) await once(process, 'message');
process.off('disconnect', gone);

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
