#!/usr/bin/env node
// The `ylem` command. Compiles src/ when dist/ is missing or older than it, then runs dist/cli.js,
// so that a fresh clone and a pulled update both start with one command and no build step.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'dist', '.tsbuildinfo');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/** Newest modification time (ms) of the TypeScript files below a folder; 0 where there is none. */
function newest(folder) {
  if (!existsSync(folder)) return 0;
  let time = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.name.endsWith('.ts')) {
      time = Math.max(time, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
    }
  }
  return time;
}

const built =
  existsSync(stamp) && existsSync(join(root, 'dist', 'cli.js')) ? statSync(stamp).mtimeMs : 0;
if (newest(join(root, 'src')) > built && existsSync(compiler)) {
  try {
    execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
  } catch {
    process.stderr.write('ylem: src/ does not compile (see above).\n');
    process.exit(1);
  }
}
await import('../dist/cli.js');
