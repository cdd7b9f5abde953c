// Puts a family together from a denoiser, a VAE and what one prompt feeds the denoiser.

import { UserError } from '../../errors.js';
import type { ScheduleExtras } from '../schedulers/scheduler.js';
import type { Conditions, Denoiser } from './denoiser.js';
import type { Conditioning, Family, FamilyParts, FamilySource } from './family.js';
import { guide } from './guidance.js';
import type { Vae } from './vae.js';

export interface Composition {
  readonly name: string;
  /** absent: the name */
  readonly scheduledAs?: string;
  readonly parts: FamilyParts;
  readonly defaults: Family['defaults'];
  readonly source: FamilySource;
  /** beside those that the source has */
  readonly warnings?: readonly string[];
  readonly denoiser: Denoiser;
  readonly vae: Vae;
  /** what the prompt, or the negative prompt, feeds the denoiser */
  readonly conditions: (text: Text, request: Conditioning) => Promise<Conditions>;
  /**
   * the scale of guidance by two estimates; 1 and below: one estimate, whose guidance is an input of
   * the graph if it is anywhere
   */
  readonly pairScale: (request: Conditioning) => number;
  readonly schedule?: (width: number, height: number, steps: number) => ScheduleExtras;
  /** px; beyond it the graph has no positions */
  readonly maxSide?: number;
}

export interface Text {
  readonly role: 'prompt' | 'negative';
  readonly text: string;
}

export function compose(composition: Composition): Family {
  const { name, parts, defaults, source, warnings, denoiser, vae, conditions } = composition;
  const { latentChannels, inpaintChannels, vaeScale } = parts;
  return {
    name,
    scheduledAs: composition.scheduledAs ?? name,
    parts,
    defaults,
    hashedPart: source.denoiserPart,
    warnings: [...source.warnings, ...(warnings ?? []), ...vae.warnings],
    set onUnet(listener: (ms: number) => void) {
      denoiser.onCall = listener;
    },
    get onUnet() {
      return denoiser.onCall;
    },
    schedule: composition.schedule ?? (() => ({})),
    decode: (latents, mayBeBlack) => vae.decode(latents, mayBeBlack),
    ...(vae.encode !== undefined && { encode: vae.encode }),
    async release() {
      await Promise.all(source.opened.map((graph) => graph.release()));
    },
    async predictor(request) {
      const { guidanceRescale = 0, prompt, negativePrompt, extra } = request;
      if (inpaintChannels > 0 && extra === undefined) {
        throw new UserError(
          'needs-mask',
          'This model paints into a picture: it needs an init image and a mask.',
        );
      }
      const { maxSide = Number.POSITIVE_INFINITY } = composition;
      if (Math.max(request.width, request.height) > maxSide) {
        throw new UserError(
          'bad-size',
          `This model paints at most ${maxSide} pixels per side, not ${request.width}x${request.height}.`,
          { max: maxSide, width: request.width, height: request.height },
        );
      }
      const [height, width] = [request.height / vaeScale, request.width / vaeScale];
      const dims = [1, latentChannels + inpaintChannels, height, width];
      const whole = (sample: Float32Array) =>
        inpaintChannels > 0 && extra !== undefined ? joined(sample, extra.data) : sample;
      const scale = composition.pairScale(request);
      const paired = scale > 1;
      const conditional = await conditions({ role: 'prompt', text: prompt }, request);
      if (!paired) return (sample, t) => denoiser.call(whole(sample), dims, t, conditional);
      // diffusers' clip skip is the prompt's alone, A1111's is every text's.
      const unconditional = await conditions(
        { role: 'negative', text: negativePrompt },
        request.weighting === true ? request : { ...request, clipSkip: 0 },
      );
      return async (sample, t) => {
        const [without, given] = await denoiser.pair(
          whole(sample),
          dims,
          t,
          unconditional,
          conditional,
        );
        return guide(without, given, scale, guidanceRescale);
      };
    },
  };
}

/** channels after channels, batch 1 */
function joined(sample: Float32Array, extra: Float32Array): Float32Array {
  const both = new Float32Array(sample.length + extra.length);
  both.set(sample);
  both.set(extra, sample.length);
  return both;
}
