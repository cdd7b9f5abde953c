// The parts of the chat page that need no browser: typed command lines, their values, and markdown.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

interface Option {
  readonly name: string;
  readonly label: string;
}
interface Callable {
  readonly name: string;
  readonly label: string;
  readonly options: Option[];
}
interface Line {
  readonly callable: Callable;
  readonly values: Map<string, string>;
}
interface Invocation {
  callables(commands: object[], locale: string): Callable[];
  parseLine(text: string, all: Callable[]): Line | null;
  formatLine(callable: Callable, values: Map<string, string>): string;
  readsBack(callable: Callable, values: Map<string, string>, all: Callable[]): boolean;
  convert(option: Option, typed: string, people: object[]): { value: unknown } | { error: string };
  invocationData(callable: Callable, options: object[]): { options: object[] };
}
interface Tree {
  readonly type: string;
  readonly text?: string;
  readonly language?: string;
  readonly children?: Tree[];
  readonly items?: Tree[][];
}
interface Markdown {
  parseMarkdown(source: string): Tree[];
  plainText(source: string): string;
}

/** The page's modules are plain JavaScript, checked on their own (tsconfig.page.json). */
const load = <T>(name: string): Promise<T> =>
  import(new URL(`../../src/sandbox/page/${name}`, import.meta.url).href) as Promise<T>;
const { callables, parseLine, formatLine, readsBack, convert, invocationData } =
  await load<Invocation>('invocation.js');
const { parseMarkdown, plainText } = await load<Markdown>('markdown.js');
const { describe: words } = await load<{ describe(option: object): string }>('composer.js');

const COMMANDS = [
  {
    id: '1',
    name: 'imagine',
    name_localizations: { de: 'malen' },
    description: 'Paint',
    options: [
      { type: 4, name: 'steps', description: 'How many', min_value: 1, max_value: 50 },
      { type: 3, name: 'prompt', description: 'What', required: true, max_length: 100 },
      { type: 5, name: 'private', description: 'For you' },
      { type: 10, name: 'guidance', description: 'How strictly', min_value: 1 },
      {
        type: 3,
        name: 'size',
        description: 'How large',
        choices: [
          { name: 'Square', value: '256x256' },
          { name: 'Wide', value: '384x256' },
        ],
      },
    ],
  },
  { id: '2', name: 'imagine-more', description: 'Another', options: [] },
  {
    id: '3',
    name: 'models',
    description: 'Models',
    options: [
      {
        type: 1,
        name: 'install',
        description: 'Installs one',
        options: [{ type: 3, name: 'name', description: 'Which', required: true }],
      },
    ],
  },
];
const all = callables(COMMANDS, 'en-US');
const imagine = all.find((one) => one.name === 'imagine') as Callable;
const values = (text: string) => Object.fromEntries(parseLine(text, all)?.values ?? []);
const option = (name: string) => imagine.options.find((one) => one.name === name) as Option;

describe('a typed line', () => {
  test('gives each option the text up to the next known one', () => {
    expect(values('/imagine prompt: a fox: red, 3 o:clock https://x.y steps: 20')).toEqual({
      prompt: 'a fox: red, 3 o:clock https://x.y',
      steps: '20',
    });
    expect(values('/imagine steps:5 prompt:x')).toEqual({ steps: '5', prompt: 'x' });
  });

  test('keeps an option that stands there already as text', () => {
    expect(values('/imagine prompt: a sign that says prompt: here')).toEqual({
      prompt: 'a sign that says prompt: here',
    });
  });

  test('gives words before any option to the first, which is the required one', () => {
    expect(values('/imagine a red fox steps: 3')).toEqual({ prompt: 'a red fox', steps: '3' });
  });

  test('names the longest command that fits, in either language', () => {
    expect(parseLine('/imagine-more', all)?.callable.name).toBe('imagine-more');
    expect(parseLine('/models install name: x', all)?.callable.name).toBe('models install');
    expect(parseLine('/malen prompt: x', callables(COMMANDS, 'de-AT'))?.callable.name).toBe(
      'imagine',
    );
    expect(parseLine('/imagin', all)).toBeNull();
    expect(parseLine('imagine', all)).toBeNull();
  });

  test('is known not to be read back where a value looks like an option', () => {
    const back = (given: Record<string, string>) =>
      readsBack(imagine, new Map(Object.entries(given)), all);
    expect(back({ prompt: 'a fox: red\nand a hen', steps: '3' })).toBe(true);
    expect(back({ prompt: 'a sign that says prompt: here' })).toBe(true);
    expect(back({ prompt: 'in the size: of a house' })).toBe(false);
    expect(back({ prompt: 'a fox steps: 9', steps: '3' })).toBe(false);
  });

  test('is read back from what it is written as', () => {
    const words = fc.stringMatching(/^[a-z]{1,8}( [a-z]{1,8}){0,4}$/);
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 50 }), (prompt, steps) => {
        const given = new Map([
          ['prompt', prompt],
          ['steps', String(steps)],
        ]);
        expect(parseLine(formatLine(imagine, given), all)?.values).toEqual(given);
      }),
    );
  });
});

test('commands are listed in the order in which the bot has them', () => {
  const turned = callables([...COMMANDS].reverse(), 'de-AT');
  expect(turned.map((one) => one.name)).toEqual(['models install', 'imagine-more', 'imagine']);
});

describe("an option's line", () => {
  test('says its range, once', () => {
    const line = (description: string, limits: object) =>
      words({ description, raw: { description, ...limits } });
    expect(line('Steps', { min_value: 1, max_value: 50 })).toBe('Steps (1 to 50)');
    expect(line('Steps (1 to 50)', { min_value: 1, max_value: 50 })).toBe('Steps (1 to 50)');
    expect(line('Frames', { min_value: 4 })).toBe('Frames (from 4)');
    expect(line('Frames', { max_value: 64, required: true })).toBe('Frames (up to 64), required');
    expect(line('Anything', {})).toBe('Anything');
  });
});

describe('a value', () => {
  test('is converted to the type of its option', () => {
    expect(convert(option('steps'), ' 7 ', [])).toEqual({ value: 7 });
    expect(convert(option('guidance'), '7.5', [])).toEqual({ value: 7.5 });
    expect(convert(option('private'), 'yes', [])).toEqual({ value: true });
    expect(convert(option('size'), 'wide', [])).toEqual({ value: '384x256' });
    expect(convert(option('size'), '256x256', [])).toEqual({ value: '256x256' });
  });

  test('that does not fit is refused in one sentence', () => {
    const refusal = (name: string, text: string) => convert(option(name), text, []);
    expect(refusal('steps', '51')).toEqual({ error: 'steps must be between 1 and 50.' });
    expect(refusal('steps', '2.5')).toEqual({ error: 'steps must be a whole number.' });
    expect(refusal('steps', '9'.repeat(20))).toEqual({ error: 'steps must be a whole number.' });
    expect(refusal('guidance', '0')).toEqual({ error: 'guidance must be at least 1.' });
    expect(refusal('guidance', 'Infinity')).toEqual({ error: 'guidance must be a number.' });
    expect(refusal('size', 'huge')).toEqual({ error: 'size must be one of: Square, Wide.' });
    expect(refusal('private', 'maybe')).toEqual({ error: 'private must be one of: True, False.' });
    expect(refusal('prompt', 'x'.repeat(101))).toEqual({
      error: 'prompt must be at most 100 characters long.',
    });
  });

  test('of a subcommand is sent inside it', () => {
    const install = all.find((one) => one.name === 'models install') as Callable;
    const inner = [{ name: 'name', type: 3, value: 'x' }];
    expect(invocationData(install, inner).options).toEqual([
      { name: 'install', type: 1, options: inner },
    ]);
  });
});

describe('markdown', () => {
  const types = (source: string) => parseMarkdown(source).map((node) => node.type);

  test('knows what bots write', () => {
    expect(types('**a** *b* __c__ ~~d~~ ||e|| `f`').filter((type) => type !== 'text')).toEqual([
      'strong',
      'em',
      'u',
      's',
      'spoiler',
      'code',
    ]);
    expect(types('# big\n-# small\n> said\n- one\n- two\n```js\nx\n```')).toEqual([
      'heading',
      'subtext',
      'quote',
      'list',
      'codeblock',
    ]);
    expect(types('<t:1790000000:R><@1></imagine:2>')).toEqual(['time', 'user', 'command']);
  });

  test('nests and escapes', () => {
    expect(parseMarkdown('**a *b* c**')).toEqual([
      {
        type: 'strong',
        children: [
          { type: 'text', text: 'a ' },
          { type: 'em', children: [{ type: 'text', text: 'b' }] },
          { type: 'text', text: ' c' },
        ],
      },
    ]);
    expect(parseMarkdown('\\*not\\* snake_case_name 2 * 3 * 4')).toEqual([
      { type: 'text', text: '*not* snake_case_name 2 * 3 * 4' },
    ]);
    expect(parseMarkdown('`**a**`')).toEqual([{ type: 'code', text: '**a**' }]);
  });

  test('makes links of http addresses only, without the punctuation after them', () => {
    expect(types('[x](javascript:alert(1)) data:text/html,x')).toEqual(['text']);
    expect(parseMarkdown('see https://x.y/a_(b).')).toEqual([
      { type: 'text', text: 'see ' },
      {
        type: 'link',
        address: 'https://x.y/a_(b)',
        children: [{ type: 'text', text: 'https://x.y/a_(b)' }],
      },
      { type: 'text', text: '.' },
    ]);
  });

  test('loses no letter of any text', () => {
    const letters = (text: string) => text.replace(/[^qz]/g, '');
    const textOf = (nodes: Tree[]): string =>
      nodes
        .map((node) =>
          [
            node.language,
            node.text,
            textOf(node.children ?? []),
            ...(node.items ?? []).map(textOf),
          ].join(''),
        )
        .join('');
    fc.assert(
      fc.property(fc.stringMatching(/^[qz *_~|`>#\n-]{0,60}$/), (source) => {
        expect(letters(textOf(parseMarkdown(source)))).toBe(letters(source));
      }),
      { numRuns: 500 },
    );
  });

  test('comes to an end with thousands of open marks', () => {
    for (const mark of ['*', '**a', '_a ', '`', '||', '[', '<', '> ', '```\n', '*_']) {
      expect(typeof plainText(mark.repeat(2000))).toBe('string');
    }
  });
});
