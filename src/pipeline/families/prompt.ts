// Text encoders: a prompt's token ids, then the hidden states that a denoiser attends to.

import { UserError } from '../../errors.js';
import { type Json, number } from '../json.js';
import { withoutSyntax } from '../prompt/attention.js';
import { chunksOf } from '../prompt/chunks.js';
import { concatenate, emphasise } from '../prompt/emphasis.js';
import { floats, type Graph } from '../session.js';
import { loadTokenizer, type PromptTokenizer } from '../tokenizer.js';
import type { FloatTensor } from '../types.js';
import { type Conditioning, type FamilySource, graph, json } from './family.js';
import { applyLayerNorm, fitLayerNorm, type LayerNorm } from './final-norm.js';

/** Prompts whose embeddings are kept, and the bytes that they may take (T5 makes 8 MB of each). */
const CACHED_PROMPTS = 64;
const CACHED_BYTES = 64 << 20;

/** What a text becomes. */
export interface TextStates {
  /** [1, S, D] */
  readonly hidden: FloatTensor;
  /** [1, P]: the projected or pooled state, where the graph gives one */
  readonly pooled: FloatTensor | undefined;
}

/** The parts of a request that change what a text becomes. */
export type TextRequest = Pick<Conditioning, 'weighting' | 'clipSkip'>;

export interface EncoderOptions {
  /** 'last': after the final layer norm (SD); 'penultimate': before the last layer (SDXL, SD3) */
  readonly layer: 'last' | 'penultimate';
  /** pad and cut to this many tokens instead of the tokenizer's own length */
  readonly length?: number;
  /** a textual inversion of several vectors stands for all of them; absent: true */
  readonly severalVectors?: boolean;
}

/**
 * One text encoder with its tokenizer. `encode` is the one way from text to embeddings; `states` is
 * the one way from a chunk of ids to them, for whoever makes the chunks otherwise.
 */
export class PromptEncoder {
  readonly tokenizer: PromptTokenizer;
  readonly graph: Graph;
  /** the folder, for messages: 'text_encoder_2' */
  readonly part: string;
  readonly #layer: EncoderOptions['layer'];
  readonly #masked: boolean;
  /** names of the outputs hidden_states.0 to hidden_states.N, in order; empty where there are none */
  readonly #layers: readonly string[];
  readonly #kept = new Map<string, TextStates>();
  /** learnt when a clip skip is first asked for */
  #finalNorm: LayerNorm | undefined;
  /** entries of `#kept` at most: fewer where they are large */
  #room = CACHED_PROMPTS;

  constructor(
    part: string,
    tokenizer: PromptTokenizer,
    graph: Graph,
    config: Json,
    { layer }: EncoderOptions,
  ) {
    this.part = part;
    this.tokenizer = tokenizer;
    this.graph = graph;
    this.#layer = layer;
    this.#masked = config.use_attention_mask === true;
    this.#layers = [...graph.outputs.keys()]
      .filter((name) => /^hidden_states\.\d+$/.test(name))
      .sort((a, b) => Number(a.slice(14)) - Number(b.slice(14)));
    if (layer === 'penultimate' && this.#layers.length < 2) {
      throw new UserError(
        'model-no-hidden-states',
        `The model's ${part}/model.onnx gives no hidden states, which this family needs; it must be exported with them.`,
        { file: `${part}/model.onnx` },
      );
    }
  }

  /** A text encoder of the directory, CLIP or T5. @throws UserError naming the file at fault */
  static async load(
    source: FamilySource,
    part: string,
    tokenizerPart: string,
    options: EncoderOptions,
  ): Promise<PromptEncoder> {
    const config = await json(source, `${part}/config.json`);
    const tokenizer = await loadTokenizer(
      source.root,
      tokenizerPart,
      number(config.max_position_embeddings),
      options.length,
      options.severalVectors,
    );
    return new PromptEncoder(part, tokenizer, await graph(source, part), config, options);
  }

  /** the encoder's layers whose states the graph gives; 0 where it gives only the last */
  get layers(): number {
    return Math.max(0, this.#layers.length - 1);
  }

  /**
   * The embeddings of a text. Without weighting as diffusers' pipelines make them: cut and padded to
   * one chunk. With it as A1111 does: as many chunks as the text takes, each with its weights; the
   * pooled state is the first chunk's. The newest are kept.
   * @throws UserError 'bad-weight', 'no-clip-skip' or 'bad-clip-skip'
   */
  async encode(text: string, request: TextRequest): Promise<TextStates> {
    const { weighting = false, clipSkip = 0 } = request;
    const key = JSON.stringify([text, weighting, clipSkip]);
    let states = this.#kept.get(key);
    if (states === undefined) {
      states = weighting ? await this.#weighted(text, clipSkip) : await this.#plain(text, clipSkip);
    } else {
      this.#kept.delete(key);
    }
    this.#kept.set(key, states);
    const bytes = states.hidden.data.byteLength;
    this.#room = Math.max(2, Math.min(this.#room, Math.floor(CACHED_BYTES / bytes)));
    while (this.#kept.size > this.#room) {
      const [oldest] = this.#kept.keys();
      this.#kept.delete(oldest!);
    }
    return states;
  }

  /** The embeddings of a text by T5, which was not trained to be weighted: only its words count. */
  encodePlain(text: string, request: TextRequest): Promise<TextStates> {
    const words = request.weighting === true ? withoutSyntax(text) : text;
    return this.encode(words, { ...request, weighting: false, clipSkip: 0 });
  }

  #plain(text: string, clipSkip: number): Promise<TextStates> {
    const { ids, mask } = this.tokenizer.encode(text);
    return this.states(ids, clipSkip, mask);
  }

  async #weighted(text: string, clipSkip: number): Promise<TextStates> {
    const chunks = chunksOf(text, this.tokenizer);
    const hidden: FloatTensor[] = [];
    let pooled: FloatTensor | undefined;
    for (const [i, { ids, weights }] of chunks.entries()) {
      const states = await this.states(ids, clipSkip);
      if (i === 0) pooled = states.pooled;
      hidden.push(emphasise(states.hidden, weights));
    }
    return { hidden: concatenate(hidden), pooled };
  }

  /**
   * What the graph makes of one chunk of ids, special ones included.
   * @param clipSkip layers left out at the end
   * @param mask 0 for ids that are padding, else 1; absent: what is padding is seen by the ids
   */
  async states(
    ids: readonly number[],
    clipSkip = 0,
    mask: readonly number[] = unpadded(ids, this.tokenizer),
  ): Promise<TextStates> {
    const outputs = await this.#run(ids, mask);
    const last = this.#layer === 'last';
    const name =
      last && clipSkip === 0
        ? 'last_hidden_state'
        : this.#layers[this.layers - clipSkip - (last ? 0 : 1)];
    if (name === undefined) throw this.#cannotSkip(clipSkip);
    const pooled = outputs.text_embeds ?? outputs.pooler_output;
    const hidden = floats(outputs[name], name);
    return {
      hidden: last && clipSkip > 0 ? applyLayerNorm(await this.#norm(), hidden) : hidden,
      pooled: pooled && floats(pooled, 'pooled state'),
    };
  }

  /** Padding is masked for the encoders that were trained so; the others see all. */
  #run(ids: readonly number[], mask: readonly number[]) {
    return this.graph.run({
      input_ids: this.graph.feed('input_ids', ids, [1, ids.length]),
      ...(this.graph.inputs.has('attention_mask') && {
        attention_mask: this.graph.feed('attention_mask', this.#masked ? mask : mask.map(() => 1), [
          1,
          ids.length,
        ]),
      }),
    });
  }

  /** The encoder's last layer norm, from a prompt that is always the same. */
  async #norm(): Promise<LayerNorm> {
    if (this.#finalNorm !== undefined) return this.#finalNorm;
    const sentence = 'A red fox and 12 blue birds, painted by the sea at night.';
    const { ids, mask } = this.tokenizer.encode(sentence);
    const outputs = await this.#run(ids, mask);
    const before = this.#layers.at(-1)!;
    const norm = fitLayerNorm(
      floats(outputs[before], before),
      floats(outputs.last_hidden_state, 'last_hidden_state'),
    );
    if (norm === undefined) throw this.#cannotSkip(1);
    this.#finalNorm = norm;
    return norm;
  }

  #cannotSkip(clipSkip: number): UserError {
    const max = Math.max(0, this.layers - (this.#layer === 'last' ? 0 : 1));
    return max === 0 || clipSkip <= max
      ? new UserError(
          'no-clip-skip',
          `This model cannot leave out layers of its text encoder: ${this.part}/model.onnx does not give their states.`,
          { file: `${this.part}/model.onnx` },
        )
      : new UserError(
          'bad-clip-skip',
          `The clip skip must be a whole number from 0 to ${max} with this model, not ${clipSkip}.`,
          { value: clipSkip, min: 0, max },
        );
  }
}

/**
 * The mask of a chunk that ends with its end token and padding, one of either or of both alike: ones,
 * but zeros over the padding.
 */
function unpadded(ids: readonly number[], { eos, pad }: PromptTokenizer): number[] {
  let end = ids.length;
  while (end > 0 && ids[end - 1] === pad) end--;
  // Where both are the same, the first of them is the end.
  if (pad === eos) end++;
  return ids.map((_, i) => (i < end ? 1 : 0));
}
