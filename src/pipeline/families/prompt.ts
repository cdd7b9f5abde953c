// Text encoders: a prompt's token ids, then the hidden states that a denoiser attends to.

import { UserError } from '../../errors.js';
import { type Json, number } from '../json.js';
import { floats, type Graph } from '../session.js';
import { loadTokenizer, type PromptTokenizer } from '../tokenizer.js';
import type { FloatTensor } from '../types.js';
import { type Conditioning, type FamilySource, graph, json } from './family.js';

/** Prompts whose embeddings are kept. */
const CACHED_PROMPTS = 64;

/** What a text becomes. */
export interface TextStates {
  /** [1, S, D] */
  readonly hidden: FloatTensor;
  /** [1, P]: the projected or pooled state, where the graph gives one */
  readonly pooled: FloatTensor | undefined;
}

/** The parts of a request that change what a text becomes. */
export type TextRequest = Pick<Conditioning, 'weighting' | 'clipSkip'>;

export interface ClipOptions {
  /** 'last': after the final layer norm (SD); 'penultimate': before the last layer (SDXL, SD3) */
  readonly layer: 'last' | 'penultimate';
  /** pad and cut to this many tokens instead of the tokenizer's own length */
  readonly length?: number;
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
  readonly #layer: ClipOptions['layer'];
  readonly #masked: boolean;
  /** names of the outputs hidden_states.0 to hidden_states.N, in order; empty where there are none */
  readonly #layers: readonly string[];
  readonly #kept = new Map<string, TextStates>();

  constructor(
    part: string,
    tokenizer: PromptTokenizer,
    graph: Graph,
    config: Json,
    { layer }: ClipOptions,
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

  /** A CLIP text encoder of the directory. @throws UserError naming the file at fault */
  static async load(
    source: FamilySource,
    part: string,
    tokenizerPart: string,
    options: ClipOptions,
  ): Promise<PromptEncoder> {
    const config = await json(source, `${part}/config.json`);
    const tokenizer = await loadTokenizer(
      source.root,
      tokenizerPart,
      number(config.max_position_embeddings),
      options.length,
    );
    return new PromptEncoder(part, tokenizer, await graph(source, part), config, options);
  }

  /** the encoder's layers whose states the graph gives; 0 where it gives only the last */
  get layers(): number {
    return Math.max(0, this.#layers.length - 1);
  }

  /**
   * The embeddings of a text as diffusers' pipelines make them: cut and padded to one chunk.
   * The newest 64 are kept.
   */
  async encode(text: string, request: TextRequest): Promise<TextStates> {
    const key = JSON.stringify([text, request.weighting === true, request.clipSkip ?? 0]);
    let states = this.#kept.get(key);
    if (states === undefined) {
      states = await this.states(this.tokenizer.encode(text), request.clipSkip);
    } else {
      this.#kept.delete(key);
    }
    this.#kept.set(key, states);
    if (this.#kept.size > CACHED_PROMPTS) {
      const [oldest] = this.#kept.keys();
      this.#kept.delete(oldest!);
    }
    return states;
  }

  /**
   * What the graph makes of one chunk of ids, special ones included.
   * @param clipSkip layers left out at the end
   */
  async states(ids: readonly number[], clipSkip = 0): Promise<TextStates> {
    const outputs = await this.graph.run({
      input_ids: this.graph.feed('input_ids', ids, [1, ids.length]),
      ...(this.graph.inputs.has('attention_mask') && {
        attention_mask: this.graph.feed('attention_mask', this.#mask(ids), [1, ids.length]),
      }),
    });
    const name =
      this.#layer === 'last' ? 'last_hidden_state' : this.#layers[this.layers - 1 - clipSkip];
    if (name === undefined || (this.#layer === 'last' && clipSkip > 0)) {
      throw new UserError(
        'bad-clip-skip',
        `This model cannot leave out ${clipSkip} layers of its text encoder.`,
        { clipSkip },
      );
    }
    const pooled = outputs.text_embeds ?? outputs.pooler_output;
    return {
      hidden: floats(outputs[name], name),
      pooled: pooled && floats(pooled, 'pooled state'),
    };
  }

  /** Ones, but zeros over the padding for the encoders that were trained so. */
  #mask(ids: readonly number[]): number[] {
    const { eos } = this.tokenizer;
    const end = this.#masked ? ids.indexOf(eos) : -1;
    return ids.map((_, i) => (end === -1 || i <= end ? 1 : 0));
  }
}
