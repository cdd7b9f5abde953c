// Tokens that were added to a vocabulary, those of textual inversion among them: which ones a model
// has, where they stand in a text, and the further vectors that one of them may stand for.
//
// Sources of the rules: transformers 5, tokenization_utils_base.py (_from_pretrained) and
// tokenization_utils_tokenizers.py (__init__); the tokenizers crate, added_vocabulary.rs; diffusers,
// loaders/textual_inversion.py (_maybe_convert_prompt).

import { UserError } from '../errors.js';
import { type Json, object } from './json.js';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** found only where neither a letter nor a digit touches it */
  readonly singleWord: boolean;
  /** takes the white space before it along */
  readonly lstrip: boolean;
  /** takes the white space behind it along */
  readonly rstrip: boolean;
  /** normalized as the text is, and then looked for; else looked for in the text as it is written */
  readonly normalized: boolean;
}

/** A tokenizer's files as far as they are there, parsed. */
export interface TokenFiles {
  /** its folder, for messages: 'tokenizer_2' */
  readonly part: string;
  /** tokenizer_config.json */
  readonly config: Json;
  /** special_tokens_map.json */
  readonly special: Json;
  /** added_tokens.json */
  readonly added: unknown;
  /** `added_tokens` of tokenizer.json */
  readonly serialized: unknown;
}

/** As a file has it; `normalized` is, where it is left out, what special tokens are not. */
interface Draft {
  readonly content: string;
  readonly flags: Json;
  readonly special: boolean;
}

/** tokenizer_config.json's keys for tokens that have a part to play. */
const ROLES = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((role) => `${role}_token`);

/** a token that is written down as a text or as an object */
const draft = (value: unknown, special: boolean): Draft | undefined => {
  if (typeof value === 'string') return { content: value, flags: {}, special: true };
  const flags = object(value);
  return typeof flags.content === 'string' ? { content: flags.content, flags, special } : undefined;
};

/**
 * The tokens that the configuration gives a role ('bos_token'), by that role, the usual ones first.
 * tokenizer_config.json with an `added_tokens_decoder` stands for itself; else
 * special_tokens_map.json goes before it.
 */
function roles({ config, special }: TokenFiles): Map<string, Draft> {
  const found = new Map<string, Draft>();
  const keys = new Set([...ROLES, ...Object.keys(config).filter((key) => key.endsWith('_token'))]);
  for (const key of keys) {
    const first = config.added_tokens_decoder === undefined ? draft(special[key], true) : undefined;
    const token = first ?? draft(config[key], object(config[key]).special === true);
    if (token !== undefined) found.set(key, token);
  }
  const { extra_special_tokens: more } = config;
  for (const [key, value] of Object.entries(isRecord(more) ? more : {})) {
    const token = draft(value, true);
    if (token !== undefined) found.set(key, token);
  }
  return found;
}

/** What each role's token is written as. */
export function roleNames(files: TokenFiles): ReadonlyMap<string, string> {
  return new Map([...roles(files)].map(([key, { content }]) => [key, content]));
}

const drafts = (value: unknown): Draft[] =>
  (Array.isArray(value) ? value : []).flatMap((item) => draft(item, true) ?? []);

/**
 * The added tokens of a model, in the order of their ids in its files. Their own ids are the
 * vocabulary's where it has them; the others follow it without a gap, whatever the files say.
 * A usual role's token that neither the vocabulary nor a list of added tokens has is left out:
 * transformers adds it, and no text encoder knows it.
 * @param defaults the tokens that roles of this kind of tokenizer have where its files say nothing
 * @throws UserError naming the file that lists them otherwise than any tokenizer does
 */
export function addedTokens(
  files: TokenFiles,
  vocabulary: ReadonlyMap<string, number>,
  defaults: Readonly<Record<string, string>>,
): AddedToken[] {
  const { config, special: map } = files;
  const alone = config.added_tokens_decoder !== undefined;
  const named = roles(files);
  // A token that every role has another for is a word like any other.
  const usual = new Set(
    Object.entries(defaults).flatMap(([role, token]) => (named.has(role) ? [] : [token])),
  );
  const withRole = new Set([...usual, ...[...named.values()].map(({ content }) => content)]);
  const own = drafts(config.extra_special_tokens);
  const extra = own.length > 0 ? own : drafts(config.additional_special_tokens);
  if (!alone) extra.push(...drafts(map.extra_special_tokens));
  const listed = listedTokens(files, specialNames(files, extra));
  if (!alone && extra.length === 0) extra.push(...drafts(map.additional_special_tokens));

  const tokens = new Map<string, AddedToken>();
  let next = vocabulary.size;
  const add = ({ content, flags, special }: Draft) => {
    if (content === '' || tokens.has(content)) return;
    const id = vocabulary.get(content) ?? next;
    next = Math.max(next, id + 1);
    tokens.set(content, {
      id,
      content,
      singleWord: flags.single_word === true,
      lstrip: flags.lstrip === true,
      rstrip: flags.rstrip === true,
      normalized:
        typeof flags.normalized === 'boolean'
          ? flags.normalized
          : !(special || withRole.has(content)),
    });
  };
  for (const token of listed) add(token);
  for (const [key, token] of named)
    if (vocabulary.has(token.content) || !ROLES.includes(key)) add(token);
  for (const content of usual)
    if (vocabulary.has(content)) add({ content, flags: {}, special: true });
  for (const token of extra) add(token);
  return [...tokens.values()];
}

/** Tokens that are special in added_tokens.json: those with a usual role, but as texts alone. */
function specialNames({ config, special }: TokenFiles, extra: readonly Draft[]): Set<unknown> {
  const named = ROLES.map((key) => draft(special[key], true)?.content ?? config[key]);
  return new Set([...named, ...extra.map(({ content }) => content)]);
}

/**
 * The tokens that a file lists with their ids, in the order of these: tokenizer_config.json alone
 * where it has any, else added_tokens.json and tokenizer.json.
 */
function listedTokens(files: TokenFiles, specials: ReadonlySet<unknown>): Draft[] {
  const { config, added, serialized, part } = files;
  const found = new Map<number, Draft>();
  const put = (file: string, id: unknown, token: Draft | undefined) => {
    if (!Number.isSafeInteger(id) || token === undefined) throw damaged(`${part}/${file}`);
    found.set(id as number, token);
  };
  const { added_tokens_decoder: decoder } = config;
  if (decoder !== undefined) {
    const file = 'tokenizer_config.json';
    if (!isRecord(decoder)) throw damaged(`${part}/${file}`);
    for (const [id, value] of Object.entries(decoder)) {
      const token = isRecord(value) ? draft(value, value.special === true) : undefined;
      put(file, /^\d+$/.test(id) ? Number(id) : undefined, token);
    }
  } else {
    if (added !== undefined && !isRecord(added)) throw damaged(`${part}/added_tokens.json`);
    for (const [content, id] of Object.entries(added ?? {})) {
      const special = specials.has(content);
      put('added_tokens.json', id, { content, flags: { normalized: !special }, special });
    }
    for (const value of Array.isArray(serialized) ? serialized : []) {
      const { id, special } = object(value);
      put('tokenizer.json', id, draft(object(value), special === true));
    }
  }
  return [...found].sort(([a], [b]) => a - b).map(([, token]) => token);
}

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const damaged = (file: string): UserError =>
  new UserError(
    'model-file-damaged',
    `The model's ${file} has no list of added tokens with their ids where there should be one.`,
    { file },
  );

/** A stretch of a text: an added token with the white space that it takes along, or what is between. */
export interface Part {
  readonly text: string;
  readonly token?: AddedToken;
}

const BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const BEHIND = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE = /\p{White_Space}/u;

/**
 * Parts texts at the tokens, each given with what it looks like there: from left to right, the
 * longest that begins at a place.
 */
export function partsAt(looks: Iterable<readonly [string, AddedToken]>): (text: string) => Part[] {
  const byStart = new Map<string, [string, AddedToken][]>();
  for (const [look, token] of looks) {
    if (look === '') continue;
    const same = byStart.get(look[0]!);
    if (same === undefined) byStart.set(look[0]!, [[look, token]]);
    else same.push([look, token]);
  }
  for (const same of byStart.values()) same.sort(([a], [b]) => b.length - a.length);
  return (text) => {
    const parts: Part[] = [];
    /** where the part begins that no token has yet */
    let open = 0;
    for (let at = 0; at < text.length; ) {
      const found = byStart.get(text[at]!)?.find(([look]) => text.startsWith(look, at));
      if (found === undefined) {
        at++;
        continue;
      }
      const [look, token] = found;
      let from = at;
      at += look.length;
      let to = at;
      // Two of JavaScript's characters hold any one of Unicode's.
      if (
        token.singleWord &&
        (BEFORE.test(text.slice(Math.max(0, from - 2), from)) ||
          BEHIND.test(text.slice(to, to + 2)))
      )
        continue;
      if (token.lstrip) while (from > open && SPACE.test(text[from - 1]!)) from--;
      if (token.rstrip) while (to < text.length && SPACE.test(text[to]!)) to++;
      if (open < from) parts.push({ text: text.slice(open, from) });
      parts.push({ text: text.slice(from, to), token });
      open = to;
    }
    if (open < text.length) parts.push({ text: text.slice(open) });
    return parts;
  };
}

/** Characters that a prompt may come to when its tokens are written out: no honest model gets there. */
const LONGEST = 1 << 20;

/**
 * Tokens of textual inversion that stand for several vectors, each with the tokens that it is
 * written out to: '<toy>' with '<toy> <toy>_1 <toy>_2'.
 */
export function vectors(tokens: readonly AddedToken[]): ReadonlyMap<string, string> {
  const known = new Set(tokens.map(({ content }) => content));
  const found = new Map<string, string>();
  for (const content of known) {
    const all = [content];
    while (known.has(`${content}_${all.length}`)) all.push(`${content}_${all.length}`);
    if (all.length > 1) found.set(content, all.join(' '));
  }
  return found;
}

/**
 * A prompt with those of `vectors` written out that are among its tokens, wherever their name stands
 * in it. diffusers takes them in no order of its own where one name holds another; here they come as
 * the prompt has them.
 * @param tokens the prompt's tokens, as the tokenizer writes them
 * @throws UserError 'prompt-too-long'
 */
export function writtenOut(
  prompt: string,
  tokens: readonly string[],
  vectors: ReadonlyMap<string, string>,
): string {
  let text = prompt;
  for (const token of new Set(tokens)) {
    const all = vectors.get(token);
    if (all === undefined) continue;
    const between = text.split(token);
    if (text.length + (between.length - 1) * (all.length - token.length) > LONGEST) {
      throw new UserError(
        'prompt-too-long',
        `With the model's added tokens written out, a prompt may have ${LONGEST} characters at most.`,
        { max: LONGEST },
      );
    }
    text = between.join(all);
  }
  return text;
}
