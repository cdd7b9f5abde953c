// Names and paths from people, hubs and graphs: what is taken for one, and what never becomes a path.

import { resolve, sep } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkedName,
  checkedPath,
  directoryName,
  parseHubModel,
} from '../../../src/cli/models/names.js';
import { UserError } from '../../../src/errors.js';

describe('a model on the hub', () => {
  it.each([
    ['stabilityai/sdxl-turbo', 'stabilityai/sdxl-turbo', 'main'],
    ['gpt2', 'gpt2', 'main'],
    ['a/b@onnx', 'a/b', 'onnx'],
    ['a/b.c_d-1@v1.0+x', 'a/b.c_d-1', 'v1.0+x'],
    ['a/b@refs/pr/3', 'a/b', 'refs/pr/3'],
    ['https://huggingface.co/a/b', 'a/b', 'main'],
    ['https://huggingface.co/a/b/tree/refs%2Fpr%2F3', 'a/b', 'refs/pr/3'],
  ])('%s', (text, repository, revision) => {
    expect(parseHubModel(text)).toEqual({ repository, revision });
  });

  it.each([
    '',
    '/',
    'a/',
    '/b',
    'a/b/c',
    '../b',
    'a/..',
    'a b/c',
    'a/b@',
    'a/b@x..y',
    'a/b@/x',
    'a/b@x/',
    'a--b/c',
    'ä/b',
  ])('%j is none', (text) => {
    expect(() => parseHubModel(text)).toThrow(UserError);
  });

  it('has a directory that no other has', () => {
    expect(directoryName({ repository: 'a/b' })).toBe('a--b');
    const word = fc.stringMatching(/^[a-z][a-z.-]{0,6}$/);
    fc.assert(
      fc.property(word, word, word, word, (a, b, c, d) => {
        const parse = (text: string) => {
          try {
            return parseHubModel(text).repository;
          } catch {
            return undefined;
          }
        };
        const [one, two] = [parse(`${a}/${b}`), parse(`${c}/${d}`)];
        if (one === undefined || two === undefined || one === two) return;
        expect(directoryName({ repository: one })).not.toBe(directoryName({ repository: two }));
      }),
    );
  });
});

describe('a name of a directory', () => {
  it('may be written as on the hub', () => {
    expect(checkedName('a/b')).toBe('a--b');
    expect(checkedName('my.model_2')).toBe('my.model_2');
  });

  it.each(['', '.', '..', '.git', 'a/b/c', '/a', 'a\\b', 'a:b', 'nul', 'COM1.x', 'a.', 'a\n'])(
    '%j is none',
    (text) => {
      expect(() => checkedName(text)).toThrow(UserError);
    },
  );
});

describe('a path in a repository', () => {
  it.each(['unet/model.onnx', 'a b/ü.txt', '.gitattributes', 'a/..b/c...d'])(
    '%s is taken',
    (path) => {
      expect(checkedPath(path)).toBe(path);
    },
  );

  it('never leads out, whatever it is', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '', '/', '\\', 'C:', '~', '\0', 'con', 'a', '..\\..', '%2e%2e'),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.constantFrom('/', '', '\\'),
        (parts, joint) => {
          const path = parts.join(joint);
          try {
            checkedPath(path);
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
            return;
          }
          expect(resolve('/models/x', path).startsWith(`${resolve('/models/x')}${sep}`)).toBe(true);
          expect(path).not.toMatch(/\\|:|\0/);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
