// How a picture came to be: its kept steps as a contact sheet, an animation, or a plot of the changes.

import sharp from 'sharp';
import { UserError } from '../errors.js';
import { digits } from './image/digits.js';
import { keptTensor } from './kept.js';
import type { EncodedImage, EvolutionOptions, FloatTensor, KeptStep, RgbImage } from './types.js';

/** The picture of latents [1, C, h, w]; that of the last step is looked at longest. */
export type Draw = (latents: FloatTensor, isLast: boolean) => Promise<RgbImage>;

/** Holds the accelerator while frames are drawn; they are put together and encoded without it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** bytes of frames that are drawn in one turn */
const TURN = 48 * 2 ** 20;

/** px on the longer side of a whole sheet */
const SHEET = 2048;
/** ms per frame, and of the last one */
const FRAME_MS = 120;
const LAST_MS = 2000;
const GAP = 4;
const INK = '#1e1f22';

/**
 * @param steps in order of their index; at least one
 * @param draw makes all pictures of the same size
 * @param turn called around the drawing of some frames at a time
 * @throws UserError when there is nothing to show or it cannot be made to fit into `maxBytes`
 */
export async function evolution(
  steps: readonly KeptStep[],
  options: EvolutionOptions,
  maxBytes: number,
  draw: Draw,
  turn: Turn = (work) => work(),
): Promise<EncodedImage> {
  if (steps.length === 0) throw new UserError('no-steps', 'There are no kept steps to show.');
  if (options.kind === 'changes') {
    if (steps.length > 1) return changePlot(steps);
    throw new UserError('one-step', 'A change is between two steps, and this picture has one.');
  }
  const shown = options.kind === 'sheet' ? evenly(steps, options.frames) : steps;
  const frames = drawn(shown, options.show, draw, turn);
  if (options.kind === 'animation') return animation(frames, maxBytes);
  return contactSheet(shown, frames, options, maxBytes);
}

/** The picture of each step. */
async function* drawn(
  steps: readonly KeptStep[],
  show: EvolutionOptions['show'],
  draw: Draw,
  turn: Turn,
): AsyncGenerator<RgbImage, void> {
  for (let next = 0; next < steps.length; ) {
    const images = await turn(async () => {
      const images: RgbImage[] = [];
      for (let bytes = 0; bytes < TURN && next < steps.length; next++) {
        const isLast = next === steps.length - 1;
        const image = await draw(keptTensor(steps[next]!, show), isLast);
        images.push(image);
        bytes += image.data.length;
      }
      return images;
    });
    yield* images;
  }
}

/** `count` of the items, evenly spread, the first and the last among them. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items];
  return Array.from(
    { length: count },
    (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]!,
  );
}

async function contactSheet(
  steps: readonly KeptStep[],
  images: AsyncIterable<RgbImage>,
  { order }: EvolutionOptions,
  maxBytes: number,
): Promise<EncodedImage> {
  const frames: RgbImage[] = [];
  for await (const image of images) frames.push(image);
  const { width, height } = frames[0]!;
  const columns = Math.ceil(Math.sqrt((frames.length * height) / width));
  const rows = Math.ceil(frames.length / columns);
  const fit = Math.min(1, SHEET / (columns * width), SHEET / (rows * height));
  for (let scale = fit; scale > fit / 5; scale *= 0.75) {
    const w = Math.max(16, Math.round(width * scale));
    const h = Math.max(16, Math.round(height * scale));
    const size = { width: columns * (w + GAP) + GAP, height: rows * (h + GAP) + GAP };
    const tiles = await Promise.all(
      frames.map(async (frame, i) => {
        // In the essay's order chance stands at the bottom right and the picture at the top left.
        const cell = order === 'condensing' ? columns * rows - 1 - i : i;
        const label = digits(String(steps[i]!.index), Math.max(7, Math.round(h / 14)));
        const tile = await sharp(frame.data, {
          raw: { width: frame.width, height: frame.height, channels: 3 },
        })
          .resize({ width: w, height: h, fit: 'fill' })
          .png({ compressionLevel: 1 })
          .toBuffer();
        const input = await sharp(tile)
          .composite([{ input: Buffer.from(label), left: 3, top: 3 }])
          .png({ compressionLevel: 1 })
          .toBuffer();
        return {
          input,
          left: GAP + (cell % columns) * (w + GAP),
          top: GAP + Math.floor(cell / columns) * (h + GAP),
        };
      }),
    );
    const bytes = await sharp({ create: { ...size, channels: 3, background: INK } })
      .composite(tiles)
      .png()
      .toBuffer();
    if (bytes.length <= maxBytes) return { bytes, type: 'image/png', ...size };
  }
  throw tooLarge(maxBytes);
}

async function animation(images: AsyncIterable<RgbImage>, maxBytes: number): Promise<EncodedImage> {
  const frames: Buffer[] = [];
  let size = { width: 0, height: 0 };
  for await (const image of images) {
    size = { width: image.width, height: image.height };
    frames.push(
      await sharp(image.data, { raw: { ...size, channels: 3 } })
        .png({ compressionLevel: 1 })
        .toBuffer(),
    );
  }
  const durations = frames.map((_, i) => (i === frames.length - 1 ? LAST_MS : FRAME_MS));
  // One alone is not joined to anything: it is a picture that stands still.
  const [only, ...others] = frames;
  const joined = () =>
    others.length > 0 ? sharp(frames, { join: { animated: true } }) : sharp(only);
  for (const quality of [85, 70, 50, 30]) {
    const bytes = await joined()
      .webp({ quality, effort: 3, ...(others.length > 0 && { loop: 0, delay: durations }) })
      .toBuffer();
    if (bytes.length <= maxBytes) return { bytes, type: 'image/webp', ...size };
  }
  throw tooLarge(maxBytes);
}

function tooLarge(maxBytes: number): UserError {
  return new UserError(
    'evolution-too-large',
    `These steps do not fit into the ${maxBytes} bytes that may be sent here; ask for fewer frames.`,
    { maxBytes },
  );
}

/** Mean absolute change of the prediction from each step to the next; one value fewer than steps. */
export function changes(steps: readonly KeptStep[]): number[] {
  return steps.slice(1).map((step, i) => {
    const now = keptTensor(step, 'prediction').data;
    const before = keptTensor(steps[i]!, 'prediction').data;
    let sum = 0;
    for (let k = 0; k < now.length; k++) sum += Math.abs(now[k]! - before[k]!);
    return sum / now.length;
  });
}

/** Bars over the steps, drawn as paths only, since a bare server may have no fonts. */
async function changePlot(steps: readonly KeptStep[]): Promise<EncodedImage> {
  const width = 960;
  const height = 480;
  const margin = { left: 76, right: 24, top: 40, bottom: 56 };
  const values = changes(steps);
  const most = Math.max(...values, 1e-9);
  const plotWidth = width - margin.left - margin.right;
  const plotHeight = height - margin.top - margin.bottom;
  const bar = plotWidth / Math.max(1, values.length);
  const y = (value: number) => margin.top + plotHeight * (1 - value / most);
  const parts = [
    place(digits('CHANGE OF THE PREDICTION PER STEP', 15), margin.left, 12),
    place(digits('STEP', 13), margin.left + plotWidth / 2 - 18, height - 22),
  ];
  for (let i = 0; i <= 4; i++) {
    const value = (most * i) / 4;
    parts.push(
      `<path d="M${margin.left} ${y(value)}H${width - margin.right}" stroke="#4e5058" stroke-width="1"/>`,
      place(digits(value.toFixed(most < 0.2 ? 3 : 2), 14), 14, y(value) - 7),
    );
  }
  const every = Math.max(1, Math.ceil(values.length / 12));
  for (const [i, value] of values.entries()) {
    const x = margin.left + i * bar;
    parts.push(
      `<rect x="${x + bar * 0.12}" y="${y(value)}" width="${bar * 0.76}" height="${margin.top + plotHeight - y(value)}" rx="2" fill="#7c8cf8"/>`,
    );
    if (i % every === 0)
      parts.push(
        place(
          digits(String(steps[i + 1]!.index), 14),
          x + bar / 2 - 8,
          height - margin.bottom + 14,
        ),
      );
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="100%" height="100%" fill="${INK}"/>${parts.join('')}</svg>`;
  const bytes = await sharp(Buffer.from(svg)).png().toBuffer();
  return { bytes, type: 'image/png', width, height };
}

const place = (svg: string, x: number, y: number): string =>
  svg.replace('<svg ', `<svg x="${x}" y="${y}" `);
