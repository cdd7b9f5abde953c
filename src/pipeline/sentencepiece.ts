// SentencePiece models as T5's tokenizer has them: the pieces of a spiece.model file, and the table
// by which texts are normalised before they are cut into pieces.
// Sources: google/sentencepiece, src/sentencepiece_model.proto (field numbers) and
// doc/special_symbols.md; huggingface/spm_precompiled (how the table is searched); Darts-clone (the
// layout of its trie).

import { UserError } from '../errors.js';
import type { Json } from './json.js';
import { fields, fieldsByNumber, NotProtobuf, text } from './protobuf.js';

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
    for (const { number, bytes: inner } of fields(bytes)) {
      if (number === 1) {
        const piece = fieldsByNumber(inner);
        const score = piece.get(2)?.[0]?.bytes;
        pieces.push([text(piece.get(1)?.[0]), score?.length === 4 ? float(score) : 0]);
      } else if (number === 2) {
        kind = Number(fieldsByNumber(inner).get(3)?.[0]?.value ?? UNIGRAM);
      } else if (number === 3) {
        const table = fieldsByNumber(inner).get(2)?.[0]?.bytes;
        if (table !== undefined && table.length > 0) charsmap = table;
      }
    }
  } catch (error) {
    if (error instanceof NotProtobuf) throw damaged(file);
    throw error;
  }
  if (pieces.length === 0) throw damaged(file);
  return { pieces, charsmap, kind };
}

const float = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);

const damaged = (file: string) =>
  new UserError('model-file-damaged', `The model's ${file} is no SentencePiece model.`, { file });

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
