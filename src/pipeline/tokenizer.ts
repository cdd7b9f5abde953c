// The tokenizers of a model directory: tokenizer.json, CLIP's older vocab.json + merges.txt, or T5's
// spiece.model.

import { basename, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { UserError } from '../errors.js';
import {
  type AddedToken,
  addedTokens,
  type Part,
  partsAt,
  roleNames,
  type TokenFiles,
  vectors,
  writtenOut,
} from './added-tokens.js';
import { readIfThere, readJson } from './files.js';
import { type Json, numbers, object } from './json.js';
import { Charsmap, tokenizerFromSentencePiece } from './sentencepiece.js';

export interface EncodedPrompt {
  readonly ids: readonly number[];
  /** of each id: 1, or 0 where it is padding */
  readonly mask: readonly number[];
}

export interface PromptTokenizer {
  /** tokens that a prompt always has, such as 77 */
  readonly length: number;
  /** begins every chunk; absent where the tokenizer has none (T5) */
  readonly bos: number | undefined;
  /** ends every chunk */
  readonly eos: number;
  /** fills a chunk up to `length` */
  readonly pad: number;
  /** the prompt's ids, cut and padded to `length`, as diffusers' pipelines make them */
  encode(prompt: string): EncodedPrompt;
  /** the ids of a text alone: not cut, not padded, without the special ones around it */
  pieces(text: string): number[];
}

/** Tokens that CLIP's and T5's tokenizers have for their roles where no configuration names others. */
const USUAL = {
  clip: {
    bos_token: '<|startoftext|>',
    eos_token: '<|endoftext|>',
    unk_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
  },
  t5: { eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' },
};

/**
 * The tokenizer in a folder of the model, such as `tokenizer_2`.
 * @param maxPositions tokens that the text encoder has positions for
 * @param wanted tokens that a prompt gets, whatever the tokenizer's own configuration says
 * @param several whether a textual inversion of several vectors stands for all of them, as in
 * diffusers' pipelines; not in those of Stable Diffusion 3
 * @throws UserError naming the file that is missing or damaged
 */
export async function loadTokenizer(
  root: string,
  part: string,
  maxPositions: number | undefined,
  wanted?: number,
  several = true,
): Promise<PromptTokenizer> {
  const folder = join(root, part);
  const read = (name: string) => readJson(root, join(folder, name), true);
  const whole = await read('tokenizer.json');
  const files: TokenFiles = {
    part,
    config: object(await read('tokenizer_config.json')),
    special: object(await read('special_tokens_map.json')),
    added: await read('added_tokens.json'),
    serialized: object(whole).added_tokens,
  };
  const { config } = files;
  const names = roleNames(files);
  const pieces = whole === undefined ? await fromSentencePiece(root, folder) : undefined;
  const file = `${part}/${whole !== undefined ? 'tokenizer.json' : pieces !== undefined ? 'spiece.model' : 'vocab.json'}`;
  const json = object(
    whole ?? pieces ?? (await fromVocabulary(root, folder, names).catch(neither(part))),
  );
  let tokenizer: Texts;
  try {
    tokenizer = new Texts(json, pieces ? { ...files, serialized: pieces.added_tokens } : files);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw noTokenizer(file);
  }
  // What is odd in the file shows when it is used.
  const ids = (text: string): number[] =>
    tokenizer.tokens(text).map(({ id }) => {
      if (Number.isInteger(id)) return id as number;
      throw noTokenizer(file);
    });
  ids('a b');
  const id = (token: string | undefined): number | undefined =>
    token === undefined ? undefined : tokenizer.id(token);
  const eos = id(names.get('eos_token') ?? '<|endoftext|>') ?? id('</s>');
  if (eos === undefined) {
    throw new UserError(
      'model-file-damaged',
      `The model's ${file} has no end-of-text token, or not the one that tokenizer_config.json names.`,
      { file },
    );
  }
  const pad = id(names.get('pad_token')) ?? id('<pad>') ?? eos;
  const configured = Number(config.model_max_length);
  const own = Math.min(configured > 0 ? configured : Number.POSITIVE_INFINITY, maxPositions ?? 77);
  const length = wanted ?? own;
  const [before, behind] = tokenizer.frame;
  if (![...before, ...behind].every(Number.isInteger)) throw noTokenizer(file);
  const [padded, truncated] = [sideOf('padding', files, json), sideOf('truncation', files, json)];
  const written = (prompt: string): string => {
    if (!several || tokenizer.vectors.size === 0) return prompt;
    const tokens = tokenizer.tokens(prompt).map(({ token }) => token);
    return writtenOut(prompt, tokens, tokenizer.vectors);
  };
  return {
    length,
    bos: id(names.get('bos_token') ?? '<|startoftext|>'),
    eos,
    pad,
    pieces: (prompt) => ids(written(prompt)),
    encode(prompt) {
      const text = ids(written(prompt));
      const long = before.length + text.length + behind.length > length;
      // A tokenizer that puts nothing behind a text ends one that is cut all the same.
      const end = long && behind.length === 0 ? [eos] : behind;
      const room = Math.max(0, length - before.length - end.length);
      const from = truncated === 'left' ? Math.max(0, text.length - room) : 0;
      const kept = text.slice(from, from + room);
      const whole = [...before, ...kept, ...end].slice(-length) as number[];
      const ones = whole.map(() => 1);
      const padding = Array<number>(Math.max(0, length - whole.length)).fill(pad);
      const zeros = padding.map(() => 0);
      return padded === 'left'
        ? { ids: [...padding, ...whole], mask: [...zeros, ...ones] }
        : { ids: [...whole, ...padding], mask: [...ones, ...zeros] };
    },
  };
}

/**
 * The side of a text where it is padded or cut: tokenizer_config.json's word goes before that of
 * tokenizer.json, as in transformers.
 * @throws UserError when it is neither
 */
function sideOf(
  what: 'padding' | 'truncation',
  { config, part }: TokenFiles,
  json: Json,
): 'left' | 'right' {
  const { direction } = object(json[what]);
  const side = config[`${what}_side`] ?? (direction === 'Left' ? 'left' : 'right');
  if (side === 'left' || side === 'right') return side;
  const file = `${part}/tokenizer_config.json`;
  throw new UserError(
    'model-file-damaged',
    `The model's ${file} has a ${what}_side that is neither left nor right.`,
    { file },
  );
}

const noTokenizer = (file: string): UserError =>
  new UserError('model-file-damaged', `The model's ${file} is no tokenizer.`, { file });

/** A token of a text as its vocabulary writes it, and its id: undefined where the file has none. */
interface Token {
  readonly token: string;
  readonly id: number | undefined;
}

type Ids = readonly (number | undefined)[];

/** What is used here of the library's tokenizer, whose types do not say it. */
interface Steps {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly pre_tokenizer: {
    pre_tokenize(text: string, options: { section_index: number }): string[];
  } | null;
  readonly model: {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
    _call(words: readonly string[]): string[];
  };
  readonly post_processor: {
    post_process(tokens: string[], pair: null, special: true): { readonly tokens: string[] };
  } | null;
}

/**
 * The library's tokenizer with its steps one by one. Which parts of a text are added tokens is found
 * here: the library knows neither single words nor the white space that they take along.
 */
class Texts {
  readonly #steps: Steps;
  readonly #added: ReadonlyMap<string, AddedToken>;
  readonly #asWritten: (text: string) => Part[];
  readonly #normalized: (text: string) => Part[];
  /** added tokens that stand for several vectors, written out */
  readonly vectors: ReadonlyMap<string, string>;
  /** ids before and behind every text */
  readonly frame: readonly [Ids, Ids];

  /** @throws anything when the file is no tokenizer; UserError when its added tokens are none */
  constructor(json: Json, files: TokenFiles) {
    const whole = unicodeSpaces({ ...json, added_tokens: [] });
    this.#steps = new Tokenizer(whole, {}) as unknown as Steps;
    const { model, normalizer, post_processor: framing } = this.#steps;
    exactNormalizers(normalizer);
    const usual = Array.isArray(object(json.model).vocab) ? USUAL.t5 : USUAL.clip;
    const added = addedTokens(files, model.tokens_to_ids, usual);
    this.#added = new Map(added.map((token) => [token.content, token]));
    this.vectors = vectors(added);
    this.#asWritten = partsAt(
      added.flatMap((token) => (token.normalized ? [] : [[token.content, token]])),
    );
    this.#normalized = partsAt(
      added.flatMap((token) => (token.normalized ? [[this.#normalize(token.content), token]] : [])),
    );
    // An empty token stands for a text.
    const framed = framing?.post_process([''], null, true).tokens ?? [''];
    const at = framed.indexOf('');
    if (at === -1) throw new Error('it frames no text');
    const named = templateIds(json.post_processor);
    const ids = (token: string): Ids => named.get(token) ?? [this.id(token)];
    this.frame = [framed.slice(0, at).flatMap(ids), framed.slice(at + 1).flatMap(ids)];
  }

  id(token: string): number | undefined {
    return this.#added.get(token)?.id ?? this.#steps.model.tokens_to_ids.get(token);
  }

  /** The tokens of a text alone. */
  tokens(text: string): Token[] {
    const { model, pre_tokenizer: words } = this.#steps;
    return this.#asWritten(text).flatMap((part, section) => {
      if (part.token) return [{ token: part.text, id: part.token.id }];
      return this.#normalized(this.#normalize(part.text)).flatMap((inner) => {
        if (inner.token) return [{ token: inner.text, id: inner.token.id }];
        const cut = words?.pre_tokenize(inner.text, { section_index: section }) ?? [inner.text];
        return model._call(cut).map((token) => ({
          token,
          id: model.tokens_to_ids.get(token) ?? model.unk_token_id,
        }));
      });
    });
  }

  #normalize(text: string): string {
    return this.#steps.normalizer?.normalize(text) ?? text;
  }
}

/**
 * The ids that a template's own table has for its special tokens: what these are called there need
 * not be in the vocabulary (T5's template says </s>, whatever its end token is).
 */
function templateIds(processor: unknown): Map<string, readonly number[]> {
  const { type, processors, special_tokens: table } = object(processor);
  const found = new Map<string, readonly number[]>();
  if (type === 'Sequence' && Array.isArray(processors)) {
    for (const inner of processors)
      for (const [token, ids] of templateIds(inner)) found.set(token, ids);
  }
  if (type !== 'TemplateProcessing') return found;
  for (const [token, entry] of Object.entries(object(table))) {
    const ids = numbers(object(entry).ids);
    if (ids !== undefined) found.set(token, ids);
  }
  return found;
}

/** Says that the usual file is missing, where the ones that could stand in for it are as well. */
const neither =
  (part: string) =>
  (error: unknown): never => {
    if (!(error instanceof UserError) || error.identifier !== 'model-file-missing') throw error;
    const file = `${part}/tokenizer.json`;
    throw new UserError(
      'model-file-missing',
      `The model lacks ${file}, and ${String(error.context.file)} that could stand in for it.`,
      { file },
    );
  };

/** T5's tokenizer where only SentencePiece's own file is there. */
async function fromSentencePiece(root: string, folder: string): Promise<Json | undefined> {
  const bytes = await readIfThere(root, join(folder, 'spiece.model'));
  return bytes && tokenizerFromSentencePiece(bytes, `${basename(folder)}/spiece.model`);
}

/**
 * Puts in place of the library's what it does otherwise than transformers' tokenizers: it takes every
 * precompiled table for NFKC with some exceptions, and a capital sigma at a word's end for a final one.
 */
function exactNormalizers(normalizer: unknown): void {
  if (normalizer === null || normalizer === undefined) return;
  // The library's normalizers are functions with members.
  const it = normalizer as Partial<{
    config: { readonly type?: unknown };
    charsmap: unknown;
    normalizers: unknown;
    normalize: (text: string) => string;
  }>;
  if (Array.isArray(it.normalizers)) for (const inner of it.normalizers) exactNormalizers(inner);
  // The one letter whose lower case depends on its neighbours in JavaScript.
  if (it.config?.type === 'Lowercase')
    it.normalize = (whole) => whole.replaceAll('Σ', 'σ').toLowerCase();
  if (typeof it.charsmap !== 'string' || it.charsmap === '') return;
  const table = new Charsmap(Buffer.from(it.charsmap, 'base64'));
  it.normalize = (whole) => table.normalize(whole);
}

/** How GPT-2's byte-level tokenizer cuts a text into words. */
const WORDS =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+";

/**
 * White space as Unicode and the tokenizers of transformers have it. JavaScript's own \s counts the
 * byte order mark among it, and not the next line character.
 */
function unicodeSpaces(json: unknown): Json {
  const change = (key: string, value: unknown): unknown => {
    if (key === 'Regex' && typeof value === 'string') {
      return value.replace(/\\(.)/gs, (whole, letter: string) =>
        letter === 's' ? '\\p{White_Space}' : letter === 'S' ? '\\P{White_Space}' : whole,
      );
    }
    if (object(value).type === 'WhitespaceSplit') {
      const pattern = { Regex: '\\p{White_Space}+' };
      return { type: 'Split', pattern, behavior: 'Removed', invert: false };
    }
    const { type, use_regex: cuts, add_prefix_space: prefix } = object(value);
    if (key !== 'decoder' && type === 'ByteLevel' && cuts !== false && prefix === false) {
      const cut = { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Isolated', invert: false };
      return { type: 'Sequence', pretokenizers: [cut, { ...object(value), use_regex: false }] };
    }
    if (key === 'vocab' || key === 'merges' || typeof value !== 'object' || value === null)
      return value;
    return Array.isArray(value)
      ? value.map((item, i) => change(String(i), item))
      : Object.fromEntries(Object.entries(value).map(([name, item]) => [name, change(name, item)]));
  };
  return object(change('', json));
}

/** CLIP's byte-pair encoding as transformers' CLIPTokenizerFast writes it down. */
async function fromVocabulary(
  root: string,
  folder: string,
  names: ReadonlyMap<string, string>,
): Promise<Json> {
  const vocab = object(await readJson(root, join(folder, 'vocab.json')));
  const merges = await readIfThere(root, join(folder, 'merges.txt'));
  if (merges === undefined) {
    const file = `${basename(folder)}/merges.txt`;
    throw new UserError('model-file-missing', `The model lacks ${file}.`, { file });
  }
  const bos = names.get('bos_token') ?? '<|startoftext|>';
  const eos = names.get('eos_token') ?? '<|endoftext|>';
  const unknown = names.get('unk_token') ?? '<|endoftext|>';
  return {
    version: '1.0',
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        {
          type: 'Split',
          pattern: {
            Regex:
              "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
          },
          behavior: 'Removed',
          invert: true,
        },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: [eos, vocab[eos]],
      cls: [bos, vocab[bos]],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: merges
        .toString('utf8')
        .split('\n')
        .map((line) => line.replace(/\r$/, ''))
        .filter((line) => line !== '' && !line.startsWith('#version')),
    },
  };
}
