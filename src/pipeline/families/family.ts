// What every model family is to the rest of the pipeline, and what it is loaded from.
//
// A family is one file: it opens the graphs that its directory has beside the UNet or transformer,
// says what one prompt feeds them (`Conditions`), and puts the shared pieces together with
// `compose`. Adding one is that file and one line in index.ts.
//
// Where other parts hook in:
// - Prompt weighting, long prompts and clip skip: every family turns text into embeddings by
//   `PromptEncoder.encode(text, request)` alone (prompt.ts), which has the request's `weighting` and
//   `clipSkip`, the tokenizer's pieces and special ids, and `states(ids)` for one chunk of ids.
//   Prompts may give sequences of different lengths: guidance then makes two calls instead of one.
// - Inpainting models: `parts.inpaintChannels` is 5 where the UNet wants the mask and the masked
//   image's latents beside its sample; they come in as `Conditioning.extra` and are joined to every
//   sample after the scheduler scaled it.
// - Init images: `encode` gives the scaled latents of pixels, drawing from the generator it is given
//   where the graph leaves the drawing to us.

import { join } from 'node:path';
import type { NoisePredictor } from '../denoise.js';
import { statIfThere } from '../files.js';
import { type Json, object } from '../json.js';
import type { NoiseGenerator } from '../noise/generator.js';
import type { ScheduleExtras } from '../schedulers/scheduler.js';
import { type Graph, openGraph, readJson, type SessionOptions } from '../session.js';
import type { FloatTensor, RgbImage } from '../types.js';

/** What a family can do and how its tensors are sized. */
export interface FamilyParts {
  /** channels of the latents, such as 4 or 16 */
  readonly latentChannels: number;
  /** channels that the UNet takes beside the latents: 0, or 5 for inpainting models */
  readonly inpaintChannels: number;
  /** px per latent */
  readonly vaeScale: number;
  /** px: the VAE's scale times the denoiser's own downsampling */
  readonly sizeMultiple: number;
  /** latents per side that the model was trained on; where it was no square, from top to bottom */
  readonly sampleSize: number;
  /** and from side to side; absent: as many */
  readonly sampleWidth?: number;
  /** rows and columns of latents that the VAE's decoder takes, where its graph takes no others */
  readonly fixedLatents?: readonly [number, number];
  /** latents are (VAE output - shiftFactor) * scalingFactor */
  readonly scalingFactor: number;
  readonly shiftFactor: number;
  /** 'fp32' or 'fp16', of the UNet or transformer */
  readonly precision: string;
}

/** What a picture is conditioned on. */
export interface Conditioning {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** 1 and below: no guidance */
  readonly guidanceScale: number;
  /** 0 to 1 (Lin et al. 2023, section 3.4); absent: 0 */
  readonly guidanceRescale?: number;
  /** guidance by two estimates beside that of the graph itself (diffusers' true_cfg_scale); absent: 1 */
  readonly trueGuidanceScale?: number;
  /** px */
  readonly width: number;
  readonly height: number;
  /** A1111's prompt syntax; absent: false */
  readonly weighting?: boolean;
  /** layers of the text encoder left out at its end; absent: 0 */
  readonly clipSkip?: number;
  /** [1, inpaintChannels, h, w], for models that take it: mask, then the masked image's latents */
  readonly extra?: FloatTensor;
}

/** A loaded model of some architecture. */
export interface Family {
  /** 'sd', 'sdxl', ... */
  readonly name: string;
  /** the family whose pipeline decides how its schedulers are set up */
  readonly scheduledAs: string;
  readonly parts: FamilyParts;
  /** what users get who ask for nothing else; diffusers' own defaults of the pipeline */
  readonly defaults: { readonly steps: number; readonly guidanceScale: number };
  /** the folder whose files say which model this is: 'unet' or 'transformer' */
  readonly hashedPart: string;
  /** one sentence each: what of the directory has no effect here */
  readonly warnings: readonly string[];
  /** called with the ms of every call of the UNet or transformer */
  onUnet: (ms: number) => void;
  /** what the scheduler has to know of a run of this size (px) */
  schedule(width: number, height: number, steps: number): ScheduleExtras;
  /**
   * Encodes the prompts (cached) and gives the model's estimate after guidance, as a function of
   * x_t [1, C, h, w] and the timestep.
   */
  predictor(request: Conditioning): Promise<NoisePredictor>;
  /**
   * the picture of scaled latents [1, C, h, w], by the full VAE
   * @param mayBeBlack absent: true; false: what is black alone is decoded again, more exactly
   * @throws UserError 'picture-not-finite' when it gives no numbers in any precision
   */
  decode(latents: FloatTensor, mayBeBlack?: boolean): Promise<RgbImage>;
  /**
   * The scaled latents [1, C, h, w] of pixels [1, 3, H, W] in [-1, 1], as a sample of the encoder's
   * distribution: one draw of the latents' size from `noise`, unless the graph has drawn it itself.
   * Absent where the directory has no VAE encoder.
   */
  readonly encode?: (pixels: FloatTensor, noise: NoiseGenerator) => Promise<FloatTensor>;
  release(): Promise<void>;
}

/** What a family is chosen by and loaded from. */
export interface FamilySource {
  readonly root: string;
  /** model_index.json */
  readonly index: Json;
  /** its _class_name, without the prefixes of exporters: StableDiffusionPipeline */
  readonly className: string;
  /** unet/ or transformer/ */
  readonly denoiser: Graph;
  /** 'unet' or 'transformer' */
  readonly denoiserPart: string;
  readonly denoiserConfig: Json;
  /** scheduler/scheduler_config.json */
  readonly scheduler: Json;
  readonly session: SessionOptions;
  /** what was seen so far that has no effect */
  readonly warnings: readonly string[];
  /** every graph that was opened for this model, to be released together */
  readonly opened: Graph[];
}

/** One entry of the registry. */
export interface FamilyLoader {
  readonly name: string;
  /** diffusers' pipelines of this family, as `FamilySource.className` */
  readonly pipelines: readonly string[];
  /** the inputs that the UNet or transformer must have */
  readonly needs: readonly string[];
  /** further inputs that the family knows how to feed */
  readonly takes?: readonly string[];
  /** @throws UserError naming the file that is missing or damaged */
  load(source: FamilySource): Promise<Family>;
}

/** An optional JSON file of the directory, as an object. @throws UserError when it is no JSON */
export async function json(source: FamilySource, path: string): Promise<Json> {
  return object(await readJson(source.root, join(source.root, path), true));
}

/** What the graph of a folder such as 'vae_decoder' is opened with. */
export function sessionOf({ session }: FamilySource, part: string): SessionOptions {
  const { threads, vaeThreads = threads } = session;
  return { ...session, threads: part.startsWith('vae_') ? vaeThreads : threads };
}

/** The graph of a folder of the directory. @throws UserError when it is missing or damaged */
export async function graph(source: FamilySource, part: string): Promise<Graph> {
  const path = join(source.root, part, 'model.onnx');
  const opened = await openGraph(source.root, path, sessionOf(source, part));
  source.opened.push(opened);
  return opened;
}

/** Whether a folder of the directory has a graph. @throws UserError when that cannot be found out */
export async function hasGraph(source: FamilySource, part: string): Promise<boolean> {
  const found = await statIfThere(source.root, join(source.root, part, 'model.onnx'));
  return found?.isFile() === true;
}
