#!/usr/bin/env node
// The `ylem` command. Compiles src/ when dist/ is missing or of other sources, then runs dist/cli.js,
// so that a fresh clone and a pulled update both start with one command and no build step.
import { compileIfChanged } from './compile.js';

compileIfChanged();
await import('../dist/cli.js');
