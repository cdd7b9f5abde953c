// The tokenizers of a model directory: tokenizer.json, CLIP's older vocab.json + merges.txt, or T5's
// spiece.model.

import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { UserError } from '../errors.js';
import { type Json, number, object } from './json.js';
import { Charsmap, tokenizerFromSentencePiece } from './sentencepiece.js';
import { readJson } from './session.js';

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
  encode(prompt: string): number[];
  /** the ids of a text alone: not cut, not padded, without the special ones around it */
  pieces(text: string): number[];
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? value
    : typeof object(value).content === 'string'
      ? String(object(value).content)
      : undefined;

/**
 * The tokenizer in a folder of the model, such as `tokenizer_2`.
 * @param maxPositions tokens that the text encoder has positions for
 * @param wanted tokens that a prompt gets, whatever the tokenizer's own configuration says
 * @throws UserError naming the file that is missing or damaged
 */
export async function loadTokenizer(
  root: string,
  part: string,
  maxPositions: number | undefined,
  wanted?: number,
): Promise<PromptTokenizer> {
  const folder = join(root, part);
  const config = object(await readJson(root, join(folder, 'tokenizer_config.json'), true));
  const special = object(await readJson(root, join(folder, 'special_tokens_map.json'), true));
  const whole = await readJson(root, join(folder, 'tokenizer.json'), true);
  const pieces = whole === undefined ? await fromSentencePiece(folder) : undefined;
  const file = `${part}/${whole !== undefined ? 'tokenizer.json' : pieces !== undefined ? 'spiece.model' : 'vocab.json'}`;
  const json = object(
    whole ?? pieces ?? (await fromVocabulary(root, folder, config).catch(neither(part))),
  );
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(unicodeSpaces(withSpecialTokens(json, config, special)), config);
    // What is odd in the file shows when it is used.
    if (!tokenizer.encode('a b').ids.every(Number.isInteger)) throw new Error('it gives no tokens');
  } catch {
    throw new UserError('model-file-damaged', `The model's ${file} is no tokenizer.`, { file });
  }
  exactNormalizers(tokenizer.normalizer);
  const id = (token: string | undefined): number | undefined =>
    token === undefined ? undefined : tokenizer.token_to_id(token);
  const eos =
    id(text(config.eos_token) ?? text(special.eos_token) ?? '<|endoftext|>') ?? id('</s>');
  if (eos === undefined) {
    throw new UserError(
      'model-file-damaged',
      `The model's ${file} has no end-of-text token, or not the one that tokenizer_config.json names.`,
      { file },
    );
  }
  const pad = id(text(config.pad_token) ?? text(special.pad_token)) ?? id('<pad>') ?? eos;
  const configured = Number(config.model_max_length);
  const own = Math.min(configured > 0 ? configured : Number.POSITIVE_INFINITY, maxPositions ?? 77);
  const length = wanted ?? own;
  return {
    length,
    bos: id(text(config.bos_token) ?? text(special.bos_token) ?? '<|startoftext|>'),
    eos,
    pad,
    pieces: (prompt) => [...tokenizer.encode(prompt, { add_special_tokens: false }).ids],
    encode(prompt) {
      const ids = tokenizer.encode(prompt).ids;
      const cut = ids.length > length ? [...ids.slice(0, length - 1), eos] : [...ids];
      while (cut.length < length) cut.push(pad);
      return cut;
    },
  };
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

/**
 * Tokens that the configuration calls special are found in a text as they stand, before it is cut
 * into words, as transformers does it: "!" where the makers of SDXL and SD 2 chose it for padding.
 */
function withSpecialTokens(json: Json, config: Json, special: Json): Json {
  const added = Array.isArray(json.added_tokens) ? [...(json.added_tokens as Json[])] : [];
  const known = new Set(added.map(({ content }) => content));
  const vocab = object(json.model).vocab;
  const idOf = (content: string): number | undefined => {
    if (!Array.isArray(vocab)) return number(object(vocab)[content]);
    const at = vocab.findIndex((entry) => Array.isArray(entry) && entry[0] === content);
    return at === -1 ? undefined : at;
  };
  for (const key of ['bos_token', 'eos_token', 'unk_token', 'pad_token']) {
    const content = text(config[key]) ?? text(special[key]);
    if (content === undefined || known.has(content)) continue;
    const id = idOf(content);
    if (id === undefined) continue;
    known.add(content);
    added.push(addedToken(content, id));
  }
  return { ...json, added_tokens: added };
}

/** T5's tokenizer where only SentencePiece's own file is there. */
async function fromSentencePiece(folder: string): Promise<Json | undefined> {
  const bytes = await readFile(join(folder, 'spiece.model')).catch(() => undefined);
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

const addedToken = (content: string, id: number): Json => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** CLIP's byte-pair encoding as transformers' CLIPTokenizerFast writes it down. */
async function fromVocabulary(root: string, folder: string, config: Json): Promise<Json> {
  const vocab = object(await readJson(root, join(folder, 'vocab.json')));
  let merges: string;
  try {
    merges = await readFile(join(folder, 'merges.txt'), 'utf8');
  } catch {
    const file = `${basename(folder)}/merges.txt`;
    throw new UserError('model-file-missing', `The model lacks ${file}.`, { file });
  }
  const bos = text(config.bos_token) ?? '<|startoftext|>';
  const eos = text(config.eos_token) ?? '<|endoftext|>';
  const unknown = text(config.unk_token) ?? '<|endoftext|>';
  const added = [bos, eos].map((content) => addedToken(content, Number(vocab[content])));
  return {
    version: '1.0',
    added_tokens: added,
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
          pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
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
        .split('\n')
        .map((line) => line.replace(/\r$/, ''))
        .filter((line) => line !== '' && !line.startsWith('#version')),
    },
  };
}
