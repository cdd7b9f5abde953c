// How much memory a model takes here: an estimate from what its graphs and configurations say, for
// orientation before it is loaded. `ylem models check --run` measures it.

import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import type { ModelDescription } from '../../pipeline/describe.js';
import type { OnnxHeader } from '../../pipeline/onnx-header.js';

export interface MemoryEstimate {
  /** bytes of the weights as the provider holds them */
  readonly weights: number;
  /** bytes that a picture of the model's own size takes in passing */
  readonly activations: number;
  /** bytes of the engine process without a model, and of what the session keeps of each graph */
  readonly process: number;
  /** sum of these */
  readonly total: number;
}

type Json = Readonly<Record<string, unknown>>;

/** bytes of the engine's process with onnxruntime and sharp loaded, before its first model [measured] */
const BASE = 80e6;
/** bytes that a session keeps for each byte of a graph's description, weights apart [measured] */
const GRAPH = 20;
/** what the CPU provider holds for a weight: some are packed anew beside the original [measured] */
const PACKED = 1.25;
/** of weights that were multiplied out: what the process does not give back [measured] */
const LEFT_OVER = 0.65;

/** Parts that are loaded for a picture from a prompt alone. */
const USED = /^(?:text_encoder|unet|transformer|vae_decoder|preview_decoder|taesd|safety)/;

/**
 * @param headers of the parts, by folder
 * @param provider as the engine would take it: the CPU computes in float32 whatever is stored
 */
export async function estimateMemory(
  description: ModelDescription,
  headers: ReadonlyMap<string, OnnxHeader>,
  provider: string,
): Promise<MemoryEstimate> {
  let [weights, graphs] = [0, 0];
  for (const { name, bytes } of description.parts) {
    const header = headers.get(name);
    if (header === undefined || !USED.test(name)) continue;
    let stored = 0;
    for (const [type, count] of header.weights) {
      stored += count * bytesOf(type);
      // Half precision and 8-bit weights are multiplied out when a session is made for the CPU.
      const unpacked = provider === 'cpu' && /^(?:b?float16|u?int8)$/.test(type);
      weights += count * (unpacked ? 4 : bytesOf(type)) * (provider === 'cpu' ? PACKED : 1);
      if (unpacked) weights += count * bytesOf(type) * LEFT_OVER;
    }
    graphs += Math.max(0, bytes - stored) * GRAPH;
  }
  const activations = await activationsOf(description, provider);
  const processBytes = BASE + graphs;
  return {
    weights,
    activations,
    process: processBytes,
    total: weights + activations + processBytes,
  };
}

/**
 * What is alive at once in the two largest moments of a picture: attention among all positions of
 * the denoiser's finest level that has it, and the decoder's last level at full size. The factors
 * were measured with random weights of Stable Diffusion's shape (210M parameters, float32) on the
 * CPU: 256 px took 1.72 GB at most (estimated: 1.81), in float16 2.02 GB (2.15), 512 px 4.66 GB
 * (4.60); the embedded model takes 263 MB (254).
 */
async function activationsOf(
  { directory, facts }: ModelDescription,
  provider: string,
): Promise<number> {
  if (facts === undefined) return 0;
  const { defaultWidth: width, defaultHeight: height, vaeScale, precision } = facts;
  const bytes = provider !== 'cpu' && precision === 'fp16' ? 2 : 4;
  const denoiser = facts.family === 'sd3' || facts.family === 'flux' ? 'transformer' : 'unet';
  const config = await jsonOf(directory, `${denoiser}/config.json`);
  const vae = await jsonOf(directory, 'vae_decoder/config.json');
  const positions = (width / vaeScale) * (height / vaeScale);
  const blocks = list(config.down_block_types);
  const level = Math.max(
    0,
    blocks.findIndex((name) => /Attn/.test(String(name))),
  );
  const tokens = denoiser === 'unet' ? positions / 4 ** level : positions / 4 + TEXT_TOKENS;
  const channels = list(config.block_out_channels).map(Number);
  // diffusers names the number of heads so, by an old mistake that it keeps.
  const given = config.num_attention_heads ?? config.attention_head_dim ?? 8;
  const heads = Number(Array.isArray(given) ? (given[level] ?? 8) : given) || 8;
  const scores = SCORES * heads * tokens ** 2 * bytes;
  const features = FEATURES * (channels[0] ?? 320) * positions * bytes;
  const widths = list(vae.block_out_channels).map(Number);
  const last = (widths[1] ?? widths[0] ?? 256) * width * height * bytes;
  // Each session keeps what it once took: the two do not share it.
  return scores + features + DECODED * last;
}

/** of a transformer's text, which takes part in its attention */
const TEXT_TOKENS = 512;
/** attention matrices alive at once [measured] */
const SCORES = 4;
/** the first level's features alive at once, skip connections included [measured] */
const FEATURES = 24;
/** the decoder's largest features alive at once [measured] */
const DECODED = 3.6;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

async function jsonOf(directory: string, path: string): Promise<Json> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, path), 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}

/** Bytes of one number of a type, as onnxruntime names types. */
export function bytesOf(type: string): number {
  if (type === 'bool') return 1;
  return (Number(/(\d+)$/.exec(type)?.[1] ?? 0) || 32) / 8;
}

/** bytes: all that this process may have, and what of it is free now. Containers are confined. */
export function machineMemory(): { readonly total: number; readonly free: number } {
  const limit = process.constrainedMemory?.() ?? 0;
  const total = totalmem();
  const available = process.availableMemory?.() ?? freemem();
  return { total: limit > 0 && limit < total ? limit : total, free: Math.min(available, total) };
}
