// Compiles src/ to dist/ once before the tests: child processes and workers run the compiled files.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export default function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  execFileSync(process.execPath, ['bin/compile.js'], { cwd: root, stdio: 'inherit' });
}
