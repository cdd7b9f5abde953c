// What the UNet families (sd, lcm, sdxl) have in common: how their tensors are sized.

import { UserError } from '../../errors.js';
import { number } from '../json.js';
import type { FloatTensor } from '../types.js';
import type { Text } from './compose.js';
import type { Conditions, Denoiser } from './denoiser.js';
import type { Conditioning, FamilyParts, FamilySource } from './family.js';
import { guidanceEmbedding } from './guidance.js';
import { trainedSize } from './layout.js';
import type { Vae } from './vae.js';

/** A graph with free dimensions declares names or -1 instead of sizes. */
const size = (value: unknown) => (Number(value) > 0 ? Number(value) : undefined);

export interface UnetSizes {
  readonly parts: FamilyParts;
  /** latents per side that the UNet can halve as often as it does */
  readonly least: number;
}

/**
 * @param family as trainedSize means it
 * @param otherwise latents per side, where neither configuration nor graph says them
 * @throws UserError for a UNet with channels that nothing here can fill
 */
export function unetSizes(
  { denoiser: graph, denoiserConfig: config }: FamilySource,
  denoiser: Denoiser,
  vae: Vae,
  family: string,
  otherwise = 64,
): UnetSizes {
  const sample = graph.inputs.get('sample')!;
  const output = [...graph.outputs.values()][0];
  const inChannels = size(sample.shape[1]) ?? number(config.in_channels);
  const outChannels = size(output?.shape[1]) ?? number(config.out_channels);
  const latentChannels = vae.latentChannels ?? outChannels ?? inChannels ?? 4;
  const inpaintChannels = (inChannels ?? latentChannels) - latentChannels;
  if (inpaintChannels !== 0 && inpaintChannels !== latentChannels + 1) {
    throw new UserError(
      'model-unknown-family',
      `The model's UNet takes ${inChannels} channels, where ${latentChannels} or ${2 * latentChannels + 1} are supported.`,
    );
  }
  const levels = Array.isArray(config.block_out_channels) ? config.block_out_channels.length : 4;
  const configured = trainedSize(family, config);
  // Exported graphs have the UNet's halvings and doublings fixed: each level halves evenly.
  const least = 2 ** (levels - 1);
  return {
    least,
    parts: {
      latentChannels,
      inpaintChannels,
      vaeScale: vae.scale,
      sizeMultiple: vae.scale * least,
      sampleSize: configured?.[0] ?? size(sample.shape[2]) ?? otherwise,
      sampleWidth: configured?.[1] ?? size(sample.shape[3]) ?? otherwise,
      ...(vae.fixedLatents && { fixedLatents: vae.fixedLatents }),
      scalingFactor: vae.scalingFactor,
      shiftFactor: vae.shiftFactor,
      precision: denoiser.precision,
    },
  };
}

/** The guidance as an input, for UNets that were distilled with it. */
export class GuidanceInput {
  readonly #width: number | undefined;
  readonly #kept = new Map<number, FloatTensor>();

  constructor({ denoiser: graph, denoiserConfig: config }: FamilySource) {
    const declared = graph.inputs.get('timestep_cond');
    this.#width = declared && (size(declared.shape[1]) ?? number(config.time_cond_proj_dim) ?? 256);
  }

  get present(): boolean {
    return this.#width !== undefined;
  }

  conditions(guidanceScale: number): Conditions {
    if (this.#width === undefined) return {};
    let embedding = this.#kept.get(guidanceScale);
    if (embedding === undefined) {
      embedding = guidanceEmbedding(guidanceScale, this.#width);
      this.#kept.clear();
      this.#kept.set(guidanceScale, embedding);
    }
    return { timestep_cond: embedding };
  }
}

/** Lets the denoiser settle whether guidance runs as one batch, with two prompts of the family's. */
export async function probeUnet(
  denoiser: Denoiser,
  { parts, least }: UnetSizes,
  conditions: (text: Text, request: Conditioning) => Promise<Conditions>,
): Promise<void> {
  const side = parts.sampleSize * parts.vaeScale;
  const plain = { prompt: '', negativePrompt: '', guidanceScale: 1, width: side, height: side };
  await denoiser.probe(
    parts.latentChannels + parts.inpaintChannels,
    parts.sampleSize,
    least,
    await conditions({ role: 'negative', text: '' }, plain),
    await conditions({ role: 'prompt', text: 'a' }, plain),
  );
}
