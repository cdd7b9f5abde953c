// A1111's prompt syntax: (more), [less], (this much:1.3), \( escapes, BREAK. Text to weighted spans.
//
// Source of the rules: AUTOMATIC1111 modules/prompt_parser.py and its wiki, "Attention/emphasis".
// Prompt editing ([a:b:0.5]), alternation ([a|b]) and AND belong to its samplers and are words here;
// tags of extra networks (<lora:name:1>) name files that are not here, and are left out.

import { UserError } from '../../errors.js';

/** A piece of the prompt and how much it counts: 1 is as it stands. */
export interface Span {
  readonly text: string;
  readonly weight: number;
}

/** Where a prompt goes on in a new chunk. */
export const BREAK = 'BREAK';
export type Break = typeof BREAK;

/** What one pair of round brackets multiplies by, and one of square brackets divides by. */
const STEP = 1.1;
/** Beyond this nothing but noise is left, and float32 overflows soon. */
const LARGEST = 1000;

const TOKEN =
  /\\[()[\]\\]|\\|\(|\[|:\s*(?<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)|\)|\]|[^\\()[\]:]+|:/gu;
/** BREAK as a word of its own, with the space around it. */
const BREAK_WORD = /\s*(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])\s*/u;

/** A1111's modules/extra_networks.py, but that a tag has no second opening bracket in it. */
const EXTRA_NETWORK = /<\w+:[^<>]+>/g;
const PROMPT_EDITING = /\[[^[\]:|]*:(?:[^[\]:|]*:)?\s*[\d.]+\s*\]|\[[^[\]|]*\|[^[\]]*\]/g;
const AND_WORD = /(?<=\s)AND(?=\s)/g;

/** What of a prompt A1111 would heed and nothing here does, as it was typed, once each. */
export function unheeded(prompt: string): string[] {
  const found = [EXTRA_NETWORK, PROMPT_EDITING, AND_WORD].flatMap((way) => prompt.match(way) ?? []);
  return [...new Set(found)];
}

/**
 * The spans of a prompt in order, neighbours of one weight joined. Brackets that are not closed hold
 * to the end; closing ones without an opening one are text. BREAK parts chunks inside brackets too.
 * @throws UserError 'bad-weight' when a weight is beyond 1000 or below -1000
 */
export function parseAttention(prompt: string): (Span | Break)[] {
  const parts: ({ text: string; weight: number } | Break)[] = [];
  const round: number[] = [];
  const square: number[] = [];
  const multiply = (from: number, by: number) => {
    for (const part of parts.slice(from)) if (part !== BREAK) part.weight *= by;
  };
  for (const match of prompt.replace(EXTRA_NETWORK, '').matchAll(TOKEN)) {
    const token = match[0];
    const weight = match.groups?.weight;
    if (token.startsWith('\\')) parts.push({ text: token.slice(1), weight: 1 });
    else if (token === '(') round.push(parts.length);
    else if (token === '[') square.push(parts.length);
    else if (weight !== undefined && round.length > 0) multiply(round.pop()!, Number(weight));
    else if (token === ')' && round.length > 0) multiply(round.pop()!, STEP);
    else if (token === ']' && square.length > 0) multiply(square.pop()!, 1 / STEP);
    else {
      for (const [i, text] of token.split(BREAK_WORD).entries()) {
        if (i > 0) parts.push(BREAK);
        parts.push({ text, weight: 1 });
      }
    }
  }
  for (const at of round) multiply(at, STEP);
  for (const at of square) multiply(at, 1 / STEP);
  return joined(parts);
}

function joined(parts: readonly (Span | Break)[]): (Span | Break)[] {
  const spans: (Span | Break)[] = [];
  for (const part of parts) {
    const last = spans.at(-1);
    if (part === BREAK) {
      spans.push(part);
      continue;
    }
    if (!(Math.abs(part.weight) <= LARGEST)) {
      throw new UserError(
        'bad-weight',
        `The weights in a prompt may come to ${LARGEST} at most; "${part.text.trim().slice(0, 40)}" has more.`,
        { max: LARGEST },
      );
    }
    if (last !== undefined && last !== BREAK && last.weight === part.weight) {
      spans[spans.length - 1] = { text: last.text + part.text, weight: last.weight };
    } else spans.push(part);
  }
  return spans;
}

/** The words alone, for text encoders that know no weights. */
export function withoutSyntax(prompt: string): string {
  return parseAttention(prompt)
    .map((part) => (part === BREAK ? ' ' : part.text))
    .join('');
}
