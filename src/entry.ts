// Where the compiled entry file of a child process or worker lies.

import { fileURLToPath } from 'node:url';

/**
 * Path of a compiled module next to the caller. Children always run from dist/: when the caller is
 * a TypeScript file under src/ (tests, benchmarks), the path is mapped there.
 *
 * @param base the caller's `import.meta.url`
 * @param file the module, relative to the caller, with its `.js` ending
 */
export function compiledEntry(base: string, file: string): string {
  const path = fileURLToPath(new URL(file, base));
  return base.endsWith('.ts')
    ? path.replace(/([\\/])src([\\/])(?!.*[\\/]src[\\/])/, '$1dist$2')
    : path;
}
