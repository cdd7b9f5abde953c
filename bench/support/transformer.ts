// Transformers that take and give what those of Stable Diffusion 3 and Flux do, with random weights,
// written on the spot for benchmarks. Inside they are plain: attention to the picture, attention to
// the prompt, a feed-forward layer.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOAT } from './onnx.js';
import { UNetBuilder } from './unet.js';

export interface TransformerShape {
  readonly kind: 'sd3' | 'flux';
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** channels of the latents */
  readonly channels: number;
  /** width of the prompt's embeddings */
  readonly context: number;
  /** width of the pooled embedding */
  readonly pooled: number;
}

/** latents per side of a token */
const PATCH = 2;

class TransformerBuilder extends UNetBuilder {
  readonly #shape: TransformerShape;

  constructor(shape: TransformerShape) {
    const { width, depth, heads, context } = shape;
    super({ widths: [width], depths: [depth], middle: 0, heads: { count: heads }, context }, FLOAT);
    this.#shape = shape;
  }

  override build(): void {
    const { g } = this;
    const { kind, width, depth, channels, context, pooled } = this.#shape;
    const flux = kind === 'flux';
    const values = PATCH * PATCH * channels;
    const declared = flux ? ['batch', 'tokens', values] : ['batch', channels, 'height', 'width'];
    const sample = g.input('hidden_states', FLOAT, declared);
    let prompt = g.input('encoder_hidden_states', FLOAT, ['batch', 'sequence', context]);
    const pooledText = g.input('pooled_projections', FLOAT, ['batch', pooled]);
    const step = this.sinusoids(
      g.node('Reshape', [g.input('timestep', FLOAT, ['batch']), g.ints([-1, 1])]),
      width,
    );
    let time = g.node('Add', [this.twoLayers(step, width), this.twoLayers(pooledText, pooled)]);
    let tokens: string;
    let planes = '';
    if (flux) {
      const guidance = g.node('Reshape', [g.input('guidance', FLOAT, ['batch']), g.ints([-1, 1])]);
      time = g.node('Add', [time, this.twoLayers(this.sinusoids(guidance, width), width)]);
      const places = this.linear(g.input('img_ids', FLOAT, ['tokens', 3]), 3, width, false);
      tokens = g.node('Add', [this.linear(sample, values, width), places]);
      const order = this.linear(g.input('txt_ids', FLOAT, ['sequence', 3]), 3, context, false);
      prompt = g.node('Add', [prompt, order]);
    } else {
      planes = g.node('Conv', [sample, g.weight([width, channels, PATCH, PATCH], 0.1)], {
        kernel_shape: [PATCH, PATCH],
        strides: [PATCH, PATCH],
      });
      const flat = g.node('Reshape', [planes, g.ints([0, width, -1])]);
      tokens = g.node('Transpose', [flat], { perm: [0, 2, 1] });
    }
    const shift = this.linear(this.silu(time), this.time, width);
    tokens = g.node('Add', [tokens, g.node('Unsqueeze', [shift, g.ints([1])])]);
    tokens = this.layerNorm(this.blocks(tokens, prompt, width, depth), width);
    const told = this.linear(tokens, width, values);
    if (flux) {
      g.output('out_hidden_states', told, declared);
      return;
    }
    const size = g.node('Slice', [g.node('Shape', [planes]), g.ints([2]), g.ints([4])]);
    const shape = g.node('Concat', [g.ints([0, values]), size], { axis: 0 });
    const back = g.node('Reshape', [g.node('Transpose', [told], { perm: [0, 2, 1] }), shape]);
    const large = g.node('DepthToSpace', [back], { blocksize: PATCH, mode: 'CRD' });
    g.output('out_hidden_states', large, declared);
  }
}

/** Writes `directory`/transformer/model.onnx and its weights, 4 bytes per parameter. */
export async function makeTransformer(directory: string, shape: TransformerShape): Promise<void> {
  const folder = join(directory, 'transformer');
  await mkdir(folder, { recursive: true });
  const transformer = new TransformerBuilder(shape);
  transformer.build();
  await transformer.g.save(join(folder, 'model.onnx'));
}
