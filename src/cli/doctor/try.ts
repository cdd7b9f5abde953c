// Runs a trial in a child process of its own, within a time.

import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { compiledEntry } from '../../entry.js';
import { UserError } from '../../errors.js';
import type { Trial } from './trials.js';

/** The child ended without an outcome. `message` is the end of a sentence. */
export class TrialFailed extends Error {
  /** the last lines that it wrote */
  readonly output: string;

  constructor(message: string, output: string) {
    super(message);
    this.name = 'TrialFailed';
    this.output = output;
  }
}

/**
 * @param milliseconds after which the child is killed
 * @throws UserError as the child has thrown it
 * @throws TrialFailed where it crashed, took too long, or failed otherwise
 */
export async function runTrial<T>(trial: Trial, milliseconds: number): Promise<T> {
  const child = spawn(
    process.execPath,
    [compiledEntry(import.meta.url, './trial-child.js'), JSON.stringify(trial)],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], windowsHide: true },
  );
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, milliseconds);
  const closed = new Promise<NodeJS.Signals | number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  try {
    const [answer, stderr, end] = await Promise.all([
      text(child.stdio[3] as Readable),
      text(child.stderr as Readable),
      closed,
    ]);
    const output = stderr.trim().split('\n').slice(-5).join('\n').slice(-1000);
    if (answer === '') {
      const why = late
        ? `it did not answer within ${Math.round(milliseconds / 1000)} s`
        : `it took its process down (${end})`;
      throw new TrialFailed(why, output);
    }
    const { outcome, fault } = JSON.parse(answer) as {
      outcome?: T;
      fault?: { user: boolean; message: string };
    };
    if (fault?.user === true) throw new UserError('trial', fault.message);
    if (fault !== undefined) throw new TrialFailed(fault.message.split('\n')[0]!, output);
    return outcome as T;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}
