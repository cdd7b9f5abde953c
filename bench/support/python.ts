// The Python that a benchmark compares itself with, where there is one.
import { execFileSync } from 'node:child_process';

/** $PYTHON or python3, whichever first imports these modules; undefined where neither does. */
export function pythonWith(modules: string): string | undefined {
  return [process.env.PYTHON, 'python3'].find((name) => {
    if (name === undefined) return false;
    try {
      execFileSync(name, ['-c', `import ${modules}`], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
