// Pictures of kept steps: by the full VAE where there is time for that, else the quick way.

import sharp from 'sharp';
import { type Draw, keptTensor, type Model, plainPreviewer } from '../pipeline/index.js';
import type { EvolutionOptions, FloatTensor, KeptStep, RgbImage } from '../pipeline/types.js';
import type { ModelRef } from './protocol.js';

/** ms that the pictures of one evolution may take together: a run may wait for its next step */
const BUDGET = 8000;

/** What of a model it takes to draw its steps. */
export type Drawer = Pick<Model, 'info' | 'decode' | 'decodeMs' | 'preview'>;

/** Which frames of an evolution the full VAE draws. */
export type Decoded = 'all' | 'last' | 'none';

/**
 * How the frames of an evolution are drawn: all in the same way, but where there is no time for all
 * of them the last one, which is the picture, still by the full VAE. Where nothing was decoded yet,
 * the last step is, to learn what that costs; what counts is the quickest time, since others at work
 * on this machine must not change what is shown.
 */
export async function decodedFrames(
  model: Drawer,
  steps: readonly KeptStep[],
  { kind, frames, show }: Pick<EvolutionOptions, 'kind' | 'frames' | 'show'>,
): Promise<Decoded> {
  const last = steps.at(-1);
  if (kind === 'changes' || last === undefined) return 'none';
  const shown = keptTensor(last, show);
  if (model.decodeMs(shown) === undefined) await model.decode(shown);
  const count = kind === 'sheet' ? Math.min(frames, steps.length) : steps.length;
  const each = model.decodeMs(shown) ?? 0;
  if (each * count <= BUDGET) return 'all';
  return each <= BUDGET ? 'last' : 'none';
}

export function drawWith(model: Drawer, decoded: Decoded): Draw {
  return async (latents, isLast) =>
    decoded === 'all' || (decoded === 'last' && isLast)
      ? model.decode(latents)
      : enlarge(await model.preview(latents), latents, model.info.vaeScale);
}

/** px per latent of nearly every VAE, where the model that could tell is gone */
const USUAL_SCALE = 8;

/**
 * Steps without the model that made them: by what its directory says of its latents' colours, if it
 * is still there, else as the community has fitted them for latents of so many channels.
 */
export async function quickDraw(
  ref: ModelRef | undefined,
  steps: readonly KeptStep[],
): Promise<Draw> {
  const channels = steps[0]?.dims[0] ?? 4;
  const { directory, vaeScale = USUAL_SCALE } = ref ?? {};
  const previewer = await plainPreviewer(directory, channels);
  return async (latents) => enlarge(await previewer.draw(latents), latents, vaeScale);
}

/** Quick pictures may be as small as the latents. */
async function enlarge(image: RgbImage, { dims }: FloatTensor, scale: number): Promise<RgbImage> {
  const [, , h, w] = dims as [number, number, number, number];
  const [width, height] = [w * scale, h * scale];
  if (image.width >= width) return image;
  const data = await sharp(image.data, {
    raw: { width: image.width, height: image.height, channels: 3 },
  })
    .resize({ width, height, fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
  return { data, width, height };
}
