// Entry of the engine process: joins the IPC channel to the host, and ends with its parent.

import { blockOtherLoaders } from '../pipeline/image/loaders.js';
import { Host } from './host.js';
import type { FromEngine, ToEngine } from './protocol.js';

/** Resolves when the message has left this process, or when nobody is there to hear it. */
function send(message: FromEngine): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, {}, () => resolve());
    else resolve();
  });
}

/** At once, and past the native libraries' exit handlers, which may wait for a device. */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

blockOtherLoaders();
// A new process may get a lost accelerator back; the bot starts it and brings the run to its end.
const host = new Host(send, ({ provider, message }) => {
  void send({ kind: 'lost', provider, reason: message }).finally(end);
});
process.on('message', (message: ToEngine) => {
  if (message.kind === 'close') void host.close().finally(end);
  else host.receive(message);
});
process.on('disconnect', end);
// A terminal's Ctrl-C and a service manager's SIGTERM reach every process of the group: when the
// engine ends is the bot's to say, which may have a run to bring home.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
