// The VAE's decoder, which does not take NaN for a picture. Half precision ends at 65504, which some
// VAEs pass (SDXL's does): what gave no numbers, or nothing but black, is decoded again in single
// precision, on the same provider where it can, else on the CPU.

import { basename } from 'node:path';
import { UserError } from '../../errors.js';
import { allFinite } from '../finite.js';
import { kindOf } from '../providers.js';
import { floats, type Graph } from '../session.js';
import type { FloatTensor } from '../types.js';
import type { FamilySource } from './family.js';
import { closeEarly, type ExactWay, exactWays } from './precision.js';

export class Decoder {
  readonly #source: FamilySource;
  /** as the directory has it; in single precision once that was needed */
  #graph: Graph;
  /** ways to decode more exactly that were not tried yet, the quicker first */
  #ways: ExactWay[];

  /** @param graph vae_decoder/model.onnx of the source */
  constructor(graph: Graph, source: FamilySource) {
    this.#graph = graph;
    this.#source = source;
    this.#ways = exactWays(source, 'vae_decoder');
  }

  get graph(): Graph {
    return this.#graph;
  }

  /**
   * @param latents as the graph takes them, [1, C, h, w]
   * @param mayBeBlack a picture without any light is taken as it is
   * @returns [1, 3, H, W], most of it in [-1, 1], all of it finite
   * @throws UserError 'picture-not-finite' when no way gives numbers
   */
  async run(latents: FloatTensor, mayBeBlack: boolean): Promise<FloatTensor> {
    let image = await this.#decode(this.#graph, latents);
    const sound = (values: Float32Array) => allFinite(values) && (mayBeBlack || !isBlack(values));
    if (sound(image.data)) return image;
    // Latents that are no numbers give none in any precision.
    while (this.#ways.length > 0 && allFinite(latents.data)) {
      const wasFinite = allFinite(image.data);
      const graph = await this.#ways[0]?.();
      if (graph === undefined) {
        this.#ways.shift();
        continue;
      }
      const again = await this.#decode(graph, latents).catch(async (error: unknown) => {
        await closeEarly(this.#source, graph);
        if (kindOf(error) !== 'memory' || this.#ways.length === 1) throw error;
        return undefined; // the next way may have more
      });
      if (again === undefined || !allFinite(again.data)) {
        this.#ways.shift();
        if (again !== undefined) await closeEarly(this.#source, graph);
        continue;
      }
      image = again;
      if (wasFinite) await closeEarly(this.#source, graph);
      else {
        // It will overflow again: from here on the exact one decodes, and the other makes room.
        this.#ways = [];
        await closeEarly(this.#source, this.#graph);
        this.#graph = graph;
      }
      break;
    }
    if (allFinite(image.data)) return image;
    const [model, { provider }] = [basename(this.#source.root), this.#source.session];
    throw new UserError(
      'picture-not-finite',
      `The model ${model} gave no picture: what its VAE computes with ${provider} are no numbers, in single precision neither.`,
      { model, provider },
    );
  }

  async #decode(graph: Graph, { data, dims }: FloatTensor): Promise<FloatTensor> {
    const outputs = await graph.run({ latent_sample: graph.feed('latent_sample', data, dims) });
    return floats(outputs.sample ?? Object.values(outputs)[0], 'sample');
  }
}

/** Whether every value is black in 8 bits. */
function isBlack(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if ((values[i]! / 2 + 0.5) * 255 > 0.5) return false;
  return true;
}
