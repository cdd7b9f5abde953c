// Results that are none: numbers that overflowed on the way, and pictures that are black all over.

import { UserError } from '../errors.js';
import { allFinite } from '../pipeline/index.js';
import type { ModelInfo, RgbImage, Step } from '../pipeline/types.js';

/** @throws UserError 'step-not-finite': no later step can mend it */
export function checkStep({ index, total, latents }: Step, info: ModelInfo): void {
  if (allFinite(latents.data)) return;
  const { name: model, provider, precision } = info;
  const why =
    precision === 'fp16' ? ' Its half precision overflowed; an fp32 export will not.' : '';
  throw new UserError(
    'step-not-finite',
    `The model ${model} computed no numbers in step ${index} of ${total} with ${provider}; try another prompt, scheduler or model.${why}`,
    { model, index, total, provider },
  );
}

/**
 * A picture without any light is what is left of numbers that were lost; noise never leads there.
 * @throws UserError 'picture-black'
 */
export function checkPicture({ data }: RgbImage, info: ModelInfo): void {
  if (data.some((level) => level > 0)) return;
  throw new UserError(
    'picture-black',
    `The model ${info.name} gave nothing but black with ${info.provider}, also when it was decoded more exactly; try another prompt, scheduler or model.`,
    { model: info.name, provider: info.provider },
  );
}
