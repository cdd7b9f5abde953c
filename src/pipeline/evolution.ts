// How a picture came to be: its kept steps as a contact sheet, an animation, or a plot of the changes.

import { UserError } from '../errors.js';
import { evenly } from './evenly.js';
import { animation } from './evolution/animation.js';
import { changePlot } from './evolution/plot.js';
import { contactSheet } from './evolution/sheet.js';
import { keptTensor } from './kept.js';
import type { EncodedImage, EvolutionOptions, FloatTensor, KeptStep, RgbImage } from './types.js';

/** The picture of latents [1, C, h, w]; that of the last step is looked at longest. */
export type Draw = (latents: FloatTensor, isLast: boolean) => Promise<RgbImage>;

/** Holds the accelerator while frames are drawn; they are put together and encoded without it. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** bytes of frames that are drawn in one turn, and ms: pictures that are being painted wait for it */
const TURN = { bytes: 48 * 2 ** 20, ms: 250 };

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
    if (steps.length === 1)
      throw new UserError('one-step', 'A change is between two steps, and this picture has one.');
    return changePlot(changes(steps).map((change, i) => ({ index: steps[i + 1]!.index, change })));
  }
  const shown = options.kind === 'sheet' ? evenly(steps, options.frames) : steps;
  const labels = shown.map(({ index }) => String(index));
  const frames = drawn(shown, options.show, draw, turn);
  const file =
    options.kind === 'animation'
      ? await animation(labels, frames, maxBytes)
      : await contactSheet(labels, await all(frames), options.order, maxBytes);
  if (file !== undefined) return file;
  throw new UserError(
    'evolution-too-large',
    `These steps do not fit into the ${maxBytes} bytes that may be sent here; ask for fewer frames.`,
    { maxBytes },
  );
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
      const begun = performance.now();
      for (let bytes = 0; next < steps.length; next++) {
        if (images.length > 0 && (bytes >= TURN.bytes || performance.now() - begun >= TURN.ms))
          break;
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

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
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
