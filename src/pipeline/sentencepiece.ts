// SentencePiece models as T5's tokenizer has them: the pieces of a spiece.model file, and the table
// by which texts are normalised before they are cut into pieces.
// Sources: google/sentencepiece, src/sentencepiece_model.proto (field numbers) and
// doc/special_symbols.md; huggingface/spm_precompiled (how the table is searched); Darts-clone (the
// layout of its trie).

import { UserError } from '../errors.js';
import type { Json } from './json.js';

/** sentinels that T5 knows beside its pieces; the last has the lowest id */
const EXTRA_IDS = 100;

/**
 * A tokenizer.json of a T5 tokenizer's spiece.model.
 * @param file its name relative to the model's directory, for messages
 * @throws UserError when the file is no SentencePiece model, or none of the Unigram kind
 */
export function tokenizerFromSentencePiece(bytes: Uint8Array, file: string): Json {
  const { pieces, charsmap, kind } = readModel(bytes, file);
  if (kind !== UNIGRAM) {
    throw new UserError(
      'model-tokenizer-unsupported',
      `The model's ${file} is a SentencePiece model of a kind that is not supported; a tokenizer.json beside it would be used instead.`,
      { file },
    );
  }
  const sentinels = Array.from({ length: EXTRA_IDS }, (_, i) => ({
    id: pieces.length + EXTRA_IDS - 1 - i,
    content: `<extra_id_${i}>`,
  }));
  const specials = ['<pad>', '</s>', '<unk>'].flatMap((content) => {
    const id = pieces.findIndex(([piece]) => piece === content);
    return id === -1 ? [] : [{ id, content }];
  });
  const end = specials.find(({ content }) => content === '</s>');
  if (end === undefined) throw damaged(file);
  return {
    version: '1.0',
    added_tokens: [...specials, ...sentinels].map((token) => ({
      ...token,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer:
      charsmap === undefined
        ? null
        : {
            type: 'Precompiled',
            precompiled_charsmap: Buffer.from(charsmap).toString('base64'),
          },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'WhitespaceSplit' },
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
      pair: [
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '</s>', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 0 } },
        { SpecialToken: { id: '</s>', type_id: 0 } },
      ],
      special_tokens: { '</s>': { id: '</s>', ids: [end.id], tokens: ['</s>'] } },
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
    model: {
      type: 'Unigram',
      unk_id: specials.find(({ content }) => content === '<unk>')?.id ?? 2,
      vocab: [...pieces, ...sentinels.map(({ content }) => [content, 0]).reverse()],
      byte_fallback: false,
    },
  };
}

/** trainer_spec.model_type */
const UNIGRAM = 1;

interface SentencePieceModel {
  /** in the order of their ids, with the logarithms of their probabilities */
  readonly pieces: readonly (readonly [piece: string, score: number])[];
  readonly charsmap: Uint8Array | undefined;
  readonly kind: number;
}

/** ModelProto: pieces 1 { piece 1, score 2 }, trainer_spec 2 { model_type 3 }, normalizer_spec 3 { charsmap 2 } */
function readModel(bytes: Uint8Array, file: string): SentencePieceModel {
  const pieces: [string, number][] = [];
  let charsmap: Uint8Array | undefined;
  let kind = UNIGRAM;
  try {
    for (const { number, value } of fields(bytes)) {
      if (!(value instanceof Uint8Array)) continue;
      if (number === 1) {
        let [piece, score] = ['', 0];
        for (const field of fields(value)) {
          if (field.number === 1 && field.value instanceof Uint8Array)
            piece = new TextDecoder().decode(field.value);
          if (field.number === 2 && typeof field.value === 'number') score = field.value;
        }
        pieces.push([piece, score]);
      } else if (number === 2) {
        for (const field of fields(value))
          if (field.number === 3 && typeof field.value === 'number') kind = field.value;
      } else if (number === 3) {
        for (const field of fields(value))
          if (field.number === 2 && field.value instanceof Uint8Array && field.value.length > 0)
            charsmap = field.value;
      }
    }
  } catch (error) {
    if (error instanceof RangeError) throw damaged(file);
    throw error;
  }
  if (pieces.length === 0) throw damaged(file);
  return { pieces, charsmap, kind };
}

const damaged = (file: string) =>
  new UserError('model-file-damaged', `The model's ${file} is no SentencePiece model.`, { file });

interface Field {
  readonly number: number;
  /** whole numbers and float32 as numbers, the rest as bytes */
  readonly value: number | Uint8Array;
}

/** The fields of a protocol buffer message. @throws RangeError where it is cut off or is none */
function* fields(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const whole = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = view.getUint8(at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
      if (factor > 2 ** 63) throw new RangeError('no whole number');
    }
  };
  while (at < bytes.length) {
    const tag = whole();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        yield { number, value: whole() };
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = whole();
        if (at + length > bytes.length) throw new RangeError('cut off');
        yield { number, value: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        yield { number, value: view.getFloat32(at, true) };
        at += 4;
        break;
      default:
        throw new RangeError('no message');
    }
  }
}

/**
 * SentencePiece's normalisation by a precompiled table: a Darts trie of what is replaced, then the
 * replacements. As transformers' tokenizers apply it: to grapheme clusters of up to 5 bytes, else to
 * code points, and by the shortest match.
 */
export class Charsmap {
  readonly #trie: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

  /** @throws RangeError when the table is cut off */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = view.getUint32(0, true);
    this.#trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = bytes.subarray(4 + size);
  }

  normalize(text: string): string {
    let out = '';
    for (const { segment } of this.#graphemes.segment(text)) {
      const whole = Buffer.byteLength(segment) < 6 ? this.#replace(segment) : undefined;
      if (whole !== undefined) out += whole;
      else for (const point of segment) out += this.#replace(point) ?? point;
    }
    return out;
  }

  #replace(text: string): string | undefined {
    const at = this.#find(Buffer.from(text));
    if (at === undefined) return undefined;
    const end = this.#replacements.indexOf(0, at);
    return Buffer.from(this.#replacements.subarray(at, end === -1 ? undefined : end)).toString();
  }

  /** where the replacement of the shortest prefix that has one begins */
  #find(key: Uint8Array): number | undefined {
    const trie = this.#trie;
    let node = offset(trie[0] ?? 0);
    for (const byte of key) {
      if (byte === 0) return undefined;
      node = (node ^ byte) >>> 0;
      const unit = trie[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node = (node ^ offset(unit)) >>> 0;
      if ((unit >>> 8) & 1) return (trie[node] ?? 0) & 0x7fffffff;
    }
    return undefined;
  }
}

/** how far a unit's children lie, exclusive-ored to its place */
const offset = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
