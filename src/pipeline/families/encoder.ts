// The VAE's encoder, opened when the first init image comes: most pictures need none. What is no
// number in half precision is encoded again in single precision.

import { basename } from 'node:path';
import { UserError } from '../../errors.js';
import { allFinite } from '../finite.js';
import { Lazy } from '../lazy.js';
import { readOnnxHeader } from '../onnx-header.js';
import { kindOf } from '../providers.js';
import { floats, type Graph } from '../session.js';
import type { FloatTensor } from '../types.js';
import { type FamilySource, graph, hasGraph } from './family.js';
import { closeEarly, exactWays } from './precision.js';

/** What an encoder gives: a distribution, or latents that the graph has drawn from it by itself. */
export interface Encoded {
  /** [1, 2C, h, w], mean and log variance; or [1, C, h, w], drawn */
  readonly values: FloatTensor;
  readonly drawn: boolean;
}

export class Encoder {
  /** whether the graph draws by itself, as diffusers' script and old Optimum export it */
  readonly draws: boolean;
  readonly #source: FamilySource;
  /** in single precision once that was needed */
  readonly #graph: Lazy<Graph>;

  private constructor(source: FamilySource, draws: boolean) {
    this.#source = source;
    this.draws = draws;
    this.#graph = new Lazy(() => graph(source, PART));
  }

  /** @returns undefined where there is none; @throws UserError naming a file that is damaged */
  static async find(source: FamilySource): Promise<Encoder | undefined> {
    if (!(await hasGraph(source, PART))) return undefined;
    const path = `${source.root}/${PART}/model.onnx`;
    const header = await readOnnxHeader(path).catch(() => undefined);
    if (header !== undefined) {
      const draws = header.outputs.some(({ name }) => name === DRAWN);
      return new Encoder(source, draws);
    }
    // Whoever cannot read the head shall say so now, or knows better.
    const opened = await graph(source, PART);
    const encoder = new Encoder(source, opened.outputs.has(DRAWN));
    encoder.#graph.set(opened);
    return encoder;
  }

  /**
   * @param pixels [1, 3, H, W] in [-1, 1]
   * @throws UserError 'image-not-finite' when no way gives numbers
   */
  async run(pixels: FloatTensor): Promise<Encoded> {
    const own = await this.#graph.get();
    const encoded = await encode(own, pixels);
    if (allFinite(encoded.values.data)) return encoded;
    let full: unknown;
    for (const open of exactWays(this.#source, PART)) {
      const exact = await open();
      if (exact === undefined) continue;
      const again = await encode(exact, pixels).catch(async (error: unknown) => {
        await closeEarly(this.#source, exact);
        if (kindOf(error) !== 'memory') throw error;
        full = error; // the next way may have more
        return undefined;
      });
      if (again === undefined) continue;
      if (allFinite(again.values.data)) {
        // It will overflow again: from here on the exact one encodes, and the other makes room.
        this.#graph.set(exact);
        await closeEarly(this.#source, own);
        return again;
      }
      await closeEarly(this.#source, exact);
    }
    if (full !== undefined) throw full;
    const [model, { provider }] = [basename(this.#source.root), this.#source.session];
    throw new UserError(
      'image-not-finite',
      `The model ${model} cannot read this image: what its VAE computes with ${provider} are no numbers.`,
      { model, provider },
    );
  }
}

const PART = 'vae_encoder';
const DRAWN = 'latent_sample';

async function encode(graph: Graph, { data, dims }: FloatTensor): Promise<Encoded> {
  const outputs = await graph.run({ sample: graph.feed('sample', data, dims) });
  const drawn = outputs[DRAWN];
  return drawn === undefined
    ? {
        values: floats(outputs.latent_parameters ?? Object.values(outputs)[0], 'latent_parameters'),
        drawn: false,
      }
    : { values: floats(drawn, DRAWN), drawn: true };
}
