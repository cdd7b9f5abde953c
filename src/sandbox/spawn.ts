// Runs the sandbox in a child process of the bot, so that its work never holds up the bot's loop.

import { fork } from 'node:child_process';
import { compiledEntry } from '../entry.js';

export interface SpawnOptions {
  /** 0 or absent: a free one */
  readonly port?: number;
  /** true: fail when the port is taken */
  readonly fixedPort?: boolean;
  /** where its history is kept */
  readonly directory?: string;
}

export interface SpawnedSandbox {
  readonly url: string;
  readonly apiBase: string;
  readonly token: string;
  /** resolves when the process ends though nobody closed it */
  readonly lost: Promise<void>;
  /** ends the process after it has written its history; safe to call twice */
  close(): Promise<void>;
}

/** From the child to its parent. */
export type ChildMessage =
  | {
      readonly type: 'ready';
      readonly url: string;
      readonly apiBase: string;
      readonly token: string;
    }
  | { readonly type: 'failed'; readonly message: string };

/** ms that the child has to write its history when it is closed. */
const PATIENCE = 5000;

/**
 * @param allowed the process loads meanwhile, and reads its directory and listens only after that;
 *   where it rejects, so does this, and nothing was touched
 * @throws Error when it does not start, such as for a fixed port that is taken
 */
export async function spawnSandbox(
  options: SpawnOptions = {},
  allowed: Promise<unknown> = Promise.resolve(),
): Promise<SpawnedSandbox> {
  // It makes a token of its own, and serves whoever can reach it.
  const { DISCORD_TOKEN: _bot, HF_TOKEN: _hub, ...env } = process.env;
  const child = fork(compiledEntry(import.meta.url, './child.js'), [JSON.stringify(options)], {
    env,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const answered = new Promise<ChildMessage>((done, failed) => {
    child.once('message', (message) => done(message as ChildMessage));
    child.once('error', failed);
    child.once('exit', (code, signal) =>
      failed(new Error(`The sandbox ended with ${signal ?? code}.`)),
    );
  });
  answered.catch(() => undefined); // until it is waited for
  try {
    await allowed;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  if (child.connected) child.send('begin', () => undefined);
  const started = await answered;
  if (started.type === 'failed') {
    await ended;
    throw new Error(started.message);
  }
  // Neither the process nor the channel to it keeps the bot alive.
  child.unref();
  child.channel?.unref();
  const { url, apiBase, token } = started;
  let closing: Promise<void> | undefined;
  return {
    url,
    apiBase,
    token,
    lost: new Promise((resolve) => {
      void ended.then(() => {
        if (closing === undefined) resolve();
      });
    }),
    close() {
      closing ??= (async () => {
        child.ref();
        if (child.connected) child.disconnect();
        const limit = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
        await ended;
        clearTimeout(limit);
      })();
      return closing;
    },
  };
}
