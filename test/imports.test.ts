// The house's rules: who may import whom, where the heavy packages may be, and that each source file
// and each test says in its first line what it is for.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

interface Import {
  /** relative to src/, with slashes */
  readonly file: string;
  readonly line: number;
  /** as it is written; undefined where it is no plain text */
  readonly specifier: string | undefined;
  /** erased by the compiler */
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

/** Leaves: they import no other part, and every part may import them. */
const LEAVES = ['errors.ts', 'entry.ts', 'image-size.ts', 'parent.ts'];

/**
 * What each part may import besides itself and the leaves: folders (`pipeline/`) or files. Files in
 * src/ itself that are not named here wire the parts and may import all of them.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'pipeline/': [],
  'engine/': ['pipeline/'],
  'queue/': ['engine/types.ts'],
  'store/': ['pipeline/kept.ts', 'pipeline/types.ts'],
  'discord/': [],
  'commands/': ['discord/', 'engine/', 'pipeline/', 'queue/', 'store/'],
  'sandbox/': [],
  'cli/': ['config.ts', 'engine/', 'log.ts', 'pipeline/', 'store/'],
  'errors.ts': [],
  'entry.ts': [],
  'config.ts': [],
  'log.ts': [],
};

/** Packages that belong to some parts only. Types alone may be used wherever the part may know them. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  'onnxruntime-node': ['pipeline/', 'engine/'],
  sharp: ['pipeline/', 'engine/', 'cli/'],
  '@huggingface/tokenizers': ['pipeline/'],
  '@huggingface/hub': ['cli/'],
  '@photostructure/sqlite': ['store/'],
  'p-queue': ['queue/'],
  'discord.js': ['discord/', 'commands/', 'bot.ts'],
  ws: ['sandbox/'],
  dotenv: ['config.ts'],
  'pino-pretty': ['log.ts'],
};

/** Every module specifier in TypeScript or JavaScript source. Comments do not count. */
function importsOf(file: string, source: string): Import[] {
  const found: Import[] = [];
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[A-Za-z_$][\w$]*|[^\s\w]/g;
  let before: string[] = [];
  /** of the statement that the tokens are in */
  let typeOnly = false;
  for (const match of source.matchAll(token)) {
    const [text] = match;
    if (text.startsWith('//') || text.startsWith('/*')) continue;
    const [previous, last] = [before.at(-2), before.at(-1)];
    if (last === 'import' || last === 'export') typeOnly = text === 'type';
    const quoted = text.startsWith("'") || text.startsWith('"');
    const dynamic = previous === 'import' && last === '(';
    if (dynamic || (quoted && (last === 'from' || last === 'import'))) {
      const line = source.slice(0, match.index).split('\n').length;
      const specifier = quoted ? text.slice(1, -1) : undefined;
      // A type such as import('x').Y cannot be told from a call: it counts as one.
      found.push({ file, line, specifier, typeOnly: typeOnly && !dynamic, dynamic });
    }
    before = [...before.slice(-1), text];
  }
  return found;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

const files = filesBelow(SRC);
const sources = new Map(
  files
    .filter((file) => /\.(?:ts|js|mjs)$/.test(file))
    .map((file) => [file, readFileSync(join(SRC, file), 'utf8')] as const),
);
const imports = [...sources].flatMap(([file, source]) => importsOf(file, source));

const partOf = (file: string): string => (file.includes('/') ? `${file.split('/')[0]}/` : file);
const named = ({ file, line, specifier }: Import): string =>
  `src/${file}:${line} imports ${specifier}`;
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The file in src/ that a relative import means; undefined for packages. */
function targetOf({ file, specifier }: Import): string | undefined {
  if (specifier === undefined || !specifier.startsWith('.')) return undefined;
  const path = posix.join(posix.dirname(file), specifier);
  const source = path.replace(/\.js$/, '.ts');
  return sources.has(source) ? source : path;
}

function mayImport(from: string, target: string): boolean {
  const part = partOf(from);
  if (partOf(target) === part || LEAVES.includes(target)) return true;
  const allowed = ALLOWED[part];
  if (allowed === undefined) return !part.endsWith('/');
  return allowed.includes(target) || allowed.includes(partOf(target));
}

describe('the reader of imports', () => {
  test('finds each kind, and none in comments', () => {
    const source = [
      "import a, { type B } from './a.js';",
      "import type { C } from '../c.js';",
      "import './d.js';",
      "export * from './e.js';",
      "export type { F } from './f.js';",
      'import {\n  g,\n} from "./g.js";',
      "const h = await import('./h.js' as string);",
      'const i = await import(name);',
      "// import x from './x.js';",
      "/* import y from './y.js'; */",
      "const url = 'http://x'; import j from 'j';",
    ].join('\n');
    const read = importsOf('x.ts', source);
    expect(read.map((each) => each.specifier)).toEqual([
      './a.js',
      '../c.js',
      './d.js',
      './e.js',
      './f.js',
      './g.js',
      './h.js',
      undefined,
      'j',
    ]);
    expect(read.filter((each) => each.typeOnly).map((each) => each.specifier)).toEqual([
      '../c.js',
      './f.js',
    ]);
    expect(read.filter((each) => each.dynamic).map((each) => each.line)).toEqual([9, 10]);
  });

  test('misses no line of src/ that ends in a module specifier', () => {
    for (const [file, source] of sources) {
      const lines = source
        .split('\n')
        .filter((line) => /^(?:import|export|\}).* from '[^']+';$/.test(line));
      const read = imports.filter((each) => each.file === file && !each.dynamic).length;
      expect(read, file).toBeGreaterThanOrEqual(lines.length);
    }
    expect(imports.length).toBeGreaterThan(100);
  });
});

describe('who imports whom', () => {
  test('every folder of src/ has its rule', () => {
    const folders = new Set([...sources.keys()].map(partOf).filter((part) => part.endsWith('/')));
    expect([...folders].filter((folder) => ALLOWED[folder] === undefined)).toEqual([]);
  });

  test('every module is named in plain text', () => {
    expect(imports.filter((each) => each.specifier === undefined).map(named)).toEqual([]);
  });

  test('every relative import means a file that is there', () => {
    const lost = imports.filter((each) => {
      const target = targetOf(each);
      return target !== undefined && !files.includes(target);
    });
    expect(lost.map(named)).toEqual([]);
  });

  test('the parts import only what they may', () => {
    const forbidden = imports.filter((each) => {
      const target = targetOf(each);
      return target !== undefined && !mayImport(each.file, target);
    });
    expect(forbidden.map(named)).toEqual([]);
  });

  test('the rule would notice a wrong import', () => {
    expect(mayImport('pipeline/model.ts', 'engine/types.ts')).toBe(false);
    expect(mayImport('queue/local.ts', 'engine/types.ts')).toBe(true);
    expect(mayImport('queue/local.ts', 'engine/supervisor.ts')).toBe(false);
    expect(mayImport('discord/rest.ts', 'store/types.ts')).toBe(false);
    expect(mayImport('sandbox/http.ts', 'discord/texts/index.ts')).toBe(false);
    expect(mayImport('commands/imagine.ts', 'main.ts')).toBe(false);
    expect(mayImport('main.ts', 'sandbox/index.ts')).toBe(true);
  });
});

describe('packages', () => {
  const packages = imports.filter(
    (each) =>
      each.specifier !== undefined &&
      !/^[./]/.test(each.specifier) &&
      !/^node:/.test(each.specifier),
  );
  const manifest = JSON.parse(readFileSync(join(dirname(SRC), 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };

  test('that src/ uses are installed for those who only run it', () => {
    const missing = packages.filter(
      (each) => !(packageOf(each.specifier ?? '') in manifest.dependencies),
    );
    expect(missing.map(named)).toEqual([]);
  });

  test('stay in the parts they belong to', () => {
    const strays = packages.filter((each) => {
      const homes = HOMES[packageOf(each.specifier ?? '')];
      if (homes === undefined || each.typeOnly) return false;
      return !homes.includes(partOf(each.file));
    });
    expect(strays.map(named)).toEqual([]);
  });

  test('of Discord are known to the sandbox by their public types only', () => {
    const known = packages.filter(
      (each) =>
        each.file.startsWith('sandbox/') &&
        /^(?:discord\.js|@discordjs)/.test(each.specifier ?? ''),
    );
    expect(known.map(named)).toEqual([]);
  });

  test('for inference and images are never loaded into the process that talks to Discord', () => {
    const heavy = ['onnxruntime-node', 'sharp'];
    const reached = new Map<string, string>([['main.ts', 'main.ts']]);
    for (const [file, path] of reached) {
      for (const each of imports) {
        if (each.file !== file || each.typeOnly) continue;
        const target = targetOf(each);
        if (target !== undefined && !reached.has(target))
          reached.set(target, `${path} > ${target}`);
      }
    }
    const loaded = packages.filter(
      (each) => !each.typeOnly && reached.has(each.file) && heavy.includes(each.specifier ?? ''),
    );
    expect(reached.size).toBeGreaterThan(10);
    expect(loaded.map((each) => `${reached.get(each.file)} > ${each.specifier}`)).toEqual([]);
  });
});

test.each(['src', 'test'])(
  'every source file in %s/ says in its first line what it is for',
  (part) => {
    const directive = /^(?:\/\/|\/\*) ?(?:@ts-|biome-ignore)/;
    const folder = join(dirname(SRC), part);
    const silent = filesBelow(folder).filter((file) => {
      if (!/\.(?:ts|js|mjs|mts|css)$/.test(file)) return false;
      // Lines that speak to the tools may stand before it.
      const lines = readFileSync(join(folder, file), 'utf8').split('\n');
      const first = lines.find((line) => !directive.test(line)) ?? '';
      return !/^(?:\/\/|\/\*+) ?\S.{5,}/.test(first);
    });
    expect(silent).toEqual([]);
  },
);
