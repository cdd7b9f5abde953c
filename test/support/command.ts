// The `ylem` command as a process, in a folder of its own and without the settings of whoever runs
// the tests.

import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const YLEM = fileURLToPath(new URL('../../bin/ylem.js', import.meta.url));

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  /** null when a signal ended it */
  readonly status: number | null;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** @param env what the command shall find in its environment beside PATH and the like */
export function startYlem(cwd: string, env: NodeJS.ProcessEnv, args: readonly string[]): Running {
  const clean = Object.entries(process.env).filter(
    ([name]) => !/^(YLEM|DISCORD|HF)_|^(NO|FORCE)_COLOR$/.test(name),
  );
  const child = spawn(process.execPath, [YLEM, ...args], {
    cwd,
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const ended = Promise.all([text(child.stdout), text(child.stderr), closed]).then(
    ([stdout, stderr, status]) => ({ stdout, stderr, status }),
  );
  return { child, ended };
}

export const ylem = (
  cwd: string,
  env: NodeJS.ProcessEnv,
  ...args: readonly string[]
): Promise<Ended> => startYlem(cwd, env, args).ended;
