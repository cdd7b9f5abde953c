// The prompt syntax against what AUTOMATIC1111 documents, and against hostile input.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.js';
import { parseAttention, unheeded } from '../../../src/pipeline/prompt/attention.js';

const pairs = (prompt: string) =>
  parseAttention(prompt).map((part) =>
    part === 'BREAK' ? part : ([part.text, part.weight] as const),
  );

describe('the prompt syntax', () => {
  it.each([
    ['normal text', [['normal text', 1]]],
    [
      'an (important) word',
      [
        ['an ', 1],
        ['important', 1.1],
        [' word', 1],
      ],
    ],
    ['(unbalanced', [['unbalanced', 1.1]]],
    ['\\(literal\\]', [['(literal]', 1]]],
    ['(unnecessary)(parens)', [['unnecessaryparens', 1.1]]],
    [
      'a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).',
      [
        ['a ', 1],
        ['house', 1.5730000000000004],
        [' ', 1.1],
        ['on', 1],
        [' a ', 1.1],
        ['hill', 0.55],
        [', sun, ', 1.1],
        ['sky', 1.4641000000000006],
        ['.', 1.1],
      ],
    ],
  ] as const)('as documented: %s', (prompt, expected) => {
    expect(pairs(prompt)).toEqual(expected);
  });

  it.each([
    ['', []],
    ['[less]', [['less', 1 / 1.1]]],
    ['[[less]]', [['less', (1 / 1.1) * (1 / 1.1)]]],
    ['(a:-0.5)', [['a', -0.5]]],
    ['(a: 1.25 )', [['a', 1.25]]],
    [
      '(a:.5)(b:2.)',
      [
        ['a', 0.5],
        ['b', 2],
      ],
    ],
    ['(3:4)', [['3', 4]]],
    ['time 12:30)', [['time 12:30)', 1]]],
    ['a:1.5)', [['a:1.5)', 1]]],
    ['(a:1.2.3)', [['a:1.2.3', 1.1]]],
    ['a]b', [['a]b', 1]]],
    ['C:\\\\dir', [['C:\\dir', 1]]],
    ['back\\slash', [['backslash', 1]]],
  ] as const)('%s', (prompt, expected) => {
    const found = pairs(prompt).filter((part) => part === 'BREAK' || part[0] !== '');
    expect(found).toEqual(expected);
  });

  it('BREAK parts chunks, and only as a word in capitals', () => {
    expect(pairs('one BREAK two')).toEqual([['one', 1], 'BREAK', ['two', 1]]);
    expect(pairs('(one BREAK two:1.5)')).toEqual([['one', 1.5], 'BREAK', ['two', 1.5]]);
    expect(pairs('break BREAKFAST xBREAK ÉBREAK')).toEqual([['break BREAKFAST xBREAK ÉBREAK', 1]]);
  });

  it('refuses weights that no picture survives, in one sentence', () => {
    for (const prompt of ['(a:1000.1)', `${'('.repeat(500)}a`, `(a:${'9'.repeat(400)})`]) {
      expect(() => parseAttention(prompt)).toThrow(UserError);
    }
    expect(pairs('(a:1000)')).toEqual([['a', 1000]]);
  });

  it('takes any text: no crash, no hang, and plain text stays as it is', () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      '[',
      ']',
      ':',
      '\\',
      '1.1',
      ' BREAK ',
      'é',
      'a',
      ':1.3)',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces).map((p) => p.join('')),
        ),
        (text) => {
          try {
            for (const part of parseAttention(text)) {
              if (part !== 'BREAK') expect(Number.isFinite(part.weight)).toBe(true);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
          }
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ,.:éü0-9]+$/), (text) => {
        expect(pairs(text)).toEqual([[text, 1]]);
      }),
    );
    const long = '('.repeat(3000) + ')'.repeat(3000);
    expect(pairs(`${long}a`).at(-1)).toEqual(['a', 1]);
  });
});

describe("what belongs to A1111's other parts", () => {
  it('tags of extra networks are left out of the words', () => {
    expect(pairs('a fox<lora:style_v2:0.8>, (big<hypernet:x:1>:1.2) a<b 3>2')).toEqual([
      ['a fox, ', 1],
      ['big', 1.2],
      [' a<b 3>2', 1],
    ]);
  });

  it.each([
    ['a <lora:x:1> b <lora:x:1>', ['<lora:x:1>']],
    ['[day:night:0.5] [:snow:10] [dog|cat]', ['[day:night:0.5]', '[:snow:10]', '[dog|cat]']],
    ['[late:0.7]', ['[late:0.7]']],
    ['a cat AND a dog', ['AND']],
    ['(a:1.2) [b] [[c]] a [note: this] ANDROID :3 <3 [', []],
  ])('is named as it was typed: %s', (prompt, pieces) => {
    expect(unheeded(prompt)).toEqual(pieces);
  });
});
