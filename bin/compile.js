// Compiles src/ to dist/: always as `npm run build`, and for the `ylem` command when something has changed.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const incremental = join(dist, '.tsbuildinfo');
/** Written last: what dist/ was compiled from. */
const note = join(dist, '.sources.json');

/** Names of the files that decide what dist/ is, from the package's root; [] where it came without them. */
function sources() {
  const src = join(root, 'src');
  if (!existsSync(src)) return [];
  const found = readdirSync(src, { recursive: true, encoding: 'utf8' });
  const modules = found.filter((name) => name.endsWith('.ts')).map((name) => join('src', name));
  return ['tsconfig.json', 'tsconfig.build.json', ...modules.sort()];
}

/** Name, size and time of each: seen without reading them. An update may well set an older time. */
function stampOf(names) {
  const lines = names.map((name) => {
    const { size, mtimeMs } = statSync(join(root, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return digest(lines);
}

/** What is in each: it stays where a copy or a container's layer gives them other times. */
function contentOf(names) {
  return digest(names.flatMap((name) => [name, readFileSync(join(root, name))]));
}

function digest(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** True where dist/ is of these sources, or there is nothing to compile it anew from. */
function isCurrent() {
  const names = sources();
  if (names.length === 0 || !existsSync(compiler)) return true;
  if (!existsSync(join(dist, 'cli.js'))) return false;
  let known;
  try {
    known = JSON.parse(readFileSync(note, 'utf8'));
  } catch {
    return false;
  }
  const stamp = stampOf(names);
  if (known.stamp === stamp) return true;
  if (known.content !== contentOf(names)) return false;
  try {
    writeFileSync(note, JSON.stringify({ ...known, stamp }));
  } catch {
    // Not this user's to write: then it is found out anew each time.
  }
  return true;
}

/** Compiles src/, and ends the process with one sentence where that fails. */
function compile() {
  try {
    mkdirSync(dist, { recursive: true });
    accessSync(dist, constants.W_OK);
    if (existsSync(incremental)) accessSync(incremental, constants.W_OK);
  } catch ({ code }) {
    unwritable(code);
  }
  // What it says was written is not written again.
  if (!existsSync(join(dist, 'cli.js'))) rmSync(incremental, { force: true });
  const names = sources();
  const made = { stamp: stampOf(names), content: contentOf(names) };
  try {
    const config = join(root, 'tsconfig.build.json');
    execFileSync(process.execPath, [compiler, '-p', config], { cwd: root, stdio: 'pipe' });
  } catch ({ stdout, stderr }) {
    const said = `${stdout ?? ''}${stderr ?? ''}`;
    // One for each file that could not be written.
    if (/\bTS5033\b/.test(said)) unwritable(/\b(E[A-Z]{3,})\b/.exec(said)?.[1] ?? 'TS5033');
    process.stderr.write(`${said}ylem: src/ does not compile (see above).\n`);
    process.exit(1);
  }
  writeFileSync(note, JSON.stringify(made));
}

function unwritable(code) {
  process.stderr.write(
    `ylem: src/ has changed since it was compiled, and this user cannot write to ${dist} (${code}): run \`npm run build\` there once as its owner.\n`,
  );
  process.exit(1);
}

export function compileIfChanged() {
  if (!isCurrent()) compile();
}

const run = process.argv[1];
if (run !== undefined && realpathSync(run) === fileURLToPath(import.meta.url)) compile();
