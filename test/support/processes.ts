// The processes that a process has started: from /proc where there is one (Linux), else from `ps`,
// which is part of every macOS.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Ids of the living children of a process, in no order. */
export function childrenOf(pid: number | undefined): number[] {
  return all()
    .filter(({ parent }) => parent === pid)
    .map((one) => one.pid);
}

/** The command line of a process. */
export function commandOf(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file)
    ? readFileSync(file, 'utf8').replaceAll('\0', ' ')
    : execFileSync('ps', ['-o', 'args=', '-p', String(pid)]).toString();
}

function all(): { pid: number; parent: number }[] {
  if (!existsSync('/proc/self/stat')) {
    const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim();
    return text.split('\n').map((line) => {
      const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
      return { pid, parent };
    });
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // proc(5): pid (name) state ppid ...; the name may hold anything, also parentheses.
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return state === 'Z' ? [] : [{ pid: Number(name), parent: Number(parent) }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}
