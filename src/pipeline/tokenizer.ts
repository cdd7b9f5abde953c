// The CLIP tokenizer of a model directory: tokenizer.json, or the older vocab.json + merges.txt.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { UserError } from '../errors.js';
import { readJson } from './session.js';

export interface PromptTokenizer {
  /** tokens that a prompt always has, such as 77 */
  readonly length: number;
  /** the prompt's ids, cut and padded to `length`, as diffusers' StableDiffusionPipeline makes them */
  encode(prompt: string): number[];
}

type Json = Record<string, unknown>;
const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const text = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? value
    : typeof object(value).content === 'string'
      ? String(object(value).content)
      : undefined;

/** @throws UserError naming the file that is missing or damaged */
export async function loadTokenizer(
  root: string,
  maxPositions: number | undefined,
): Promise<PromptTokenizer> {
  const folder = join(root, 'tokenizer');
  const config = object(await readJson(root, join(folder, 'tokenizer_config.json'), true));
  const special = object(await readJson(root, join(folder, 'special_tokens_map.json'), true));
  const json = object(
    (await readJson(root, join(folder, 'tokenizer.json'), true)) ??
      (await fromVocabulary(root, folder, config)),
  );
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(json, config);
  } catch (error) {
    throw new UserError(
      'model-file-damaged',
      `The model's tokenizer cannot be read: ${String(error).slice(0, 200)}`,
    );
  }
  const id = (token: string | undefined): number | undefined =>
    token === undefined ? undefined : tokenizer.token_to_id(token);
  const eos = id(text(config.eos_token) ?? text(special.eos_token) ?? '<|endoftext|>');
  if (eos === undefined) {
    throw new UserError('model-file-damaged', "The model's tokenizer has no end-of-text token.");
  }
  const pad = id(text(config.pad_token) ?? text(special.pad_token)) ?? eos;
  const configured = Number(config.model_max_length);
  const length = Math.min(
    configured > 0 ? configured : Number.POSITIVE_INFINITY,
    maxPositions ?? 77,
  );
  return {
    length,
    encode(prompt) {
      const ids = tokenizer.encode(prompt).ids;
      const cut = ids.length > length ? [...ids.slice(0, length - 1), eos] : [...ids];
      while (cut.length < length) cut.push(pad);
      return cut;
    },
  };
}

/** CLIP's byte-pair encoding as transformers' CLIPTokenizerFast writes it down. */
async function fromVocabulary(root: string, folder: string, config: Json): Promise<Json> {
  const vocab = object(await readJson(root, join(folder, 'vocab.json')));
  let merges: string;
  try {
    merges = await readFile(join(folder, 'merges.txt'), 'utf8');
  } catch {
    throw new UserError('model-file-missing', 'The model lacks tokenizer/merges.txt.', {
      file: 'tokenizer/merges.txt',
    });
  }
  const bos = text(config.bos_token) ?? '<|startoftext|>';
  const eos = text(config.eos_token) ?? '<|endoftext|>';
  const unknown = text(config.unk_token) ?? '<|endoftext|>';
  const added = [bos, eos].map((content) => ({
    id: Number(vocab[content]),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
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
