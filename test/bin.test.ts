// What `bin/` does before the command runs: dist/ is always of the sources that are there.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A package like this one, with a command that says one word. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ylem-bin-'));
  chmodSync(root, 0o755);
  for (const name of ['bin', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'src'));
  says('one');
});
afterEach(() => rmSync(root, { recursive: true }));

const source = () => join(root, 'src', 'cli.ts');
const says = (word: string) => writeFileSync(source(), `process.stdout.write('${word}');\n`);
const ylem = () =>
  execFileSync(process.execPath, [join(root, 'bin/ylem.js')], { encoding: 'utf8' });
const compiledAt = () => statSync(join(root, 'dist', '.tsbuildinfo')).mtimeMs;

test('a source that is older than what was compiled, but another one, is compiled', () => {
  expect(ylem()).toBe('one');
  says('two');
  utimesSync(source(), new Date(2020, 1), new Date(2020, 1));
  expect(ylem()).toBe('two');
});

test('sources that only have other times, as in a copy, are not compiled again', () => {
  execFileSync(process.execPath, [join(root, 'bin/compile.js')]);
  const before = compiledAt();
  utimesSync(source(), new Date(), new Date(Date.now() + 60_000));
  expect(ylem()).toBe('one');
  expect(compiledAt()).toBe(before);
});

test('what does not compile says where', () => {
  appendFileSync(source(), 'const x: number = "";\n');
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'bin/ylem.js')], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/src.cli\.ts.*TS2322/);
  expect(stderr).toContain('does not compile');
});

// Windows knows no such rights.
test.skipIf(process.platform === 'win32')(
  'whoever may not write there is told in one sentence what to do',
  () => {
    ylem();
    says('two');
    // For root nothing is read-only.
    const other = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    for (const dir of [join(root, 'dist'), root]) chmodSync(dir, 0o555);
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin/ylem.js')], {
      encoding: 'utf8',
      ...other,
    });
    for (const dir of [root, join(root, 'dist')]) chmodSync(dir, 0o755);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^ylem: [^\n]*`npm run build`[^\n]*\n$/);
  },
);
