// DDIM: Denoising Diffusion Implicit Models (Song, Meng and Ermon 2021), eta = 0.

import { alphasCumprod, betasOf, zeroTerminalSnr } from './betas.js';
import { toOriginal } from './prediction.js';
import type { Scheduler } from './scheduler.js';
import { leading, linspaced, trailing } from './spacing.js';

const f = Math.fround;

export function ddim(config: Record<string, unknown>, steps: number): Scheduler {
  const count = Number(config.num_train_timesteps ?? 1000);
  let betas = betasOf(config);
  if (config.rescale_betas_zero_snr === true) betas = zeroTerminalSnr(betas);
  const alphaBar = alphasCumprod(betas);
  const finalAlpha = (config.set_alpha_to_one ?? true) ? 1 : alphaBar[0]!;
  const offset = Number(config.steps_offset ?? 0);
  const timesteps =
    config.timestep_spacing === 'trailing'
      ? trailing(count, steps)
      : config.timestep_spacing === 'linspace'
        ? linspaced(count, steps)
        : leading(count, steps, steps, offset);
  const previousAlpha = (t: number): number => {
    const before = t - Math.floor(count / steps);
    return before >= 0 ? alphaBar[before]! : finalAlpha;
  };
  const clip = (config.clip_sample ?? true) ? Number(config.clip_sample_range ?? 1) : undefined;

  return {
    timesteps,
    initNoiseSigma: 1,
    order: 1,
    scaleModelInput: (sample) => sample,
    step(output, i, x) {
      const t = timesteps[i]!;
      const a = alphaBar[t]!;
      const aPrevious = previousAlpha(t);
      const { original, epsilon } = toOriginal(
        String(config.prediction_type ?? 'epsilon'),
        output,
        x,
        a,
      );
      if (clip !== undefined)
        for (let k = 0; k < original.length; k++)
          original[k] = Math.min(clip, Math.max(-clip, original[k]!));
      const [sqrtA, sqrtB] = [f(Math.sqrt(aPrevious)), f(Math.sqrt(f(1 - aPrevious)))];
      const previous = new Float32Array(x.length);
      for (let k = 0; k < x.length; k++)
        previous[k] = f(sqrtA * original[k]!) + f(sqrtB * epsilon[k]!);
      return { previous, predictedOriginal: original };
    },
    addNoise(original, noise, i) {
      const a = alphaBar[timesteps[i]!]!;
      const [signal, level] = [f(Math.sqrt(a)), f(Math.sqrt(f(1 - a)))];
      return original.map((value, k) => f(signal * value) + f(level * noise[k]!));
    },
    sigmaAfter(i) {
      const a = previousAlpha(timesteps[i]!);
      return Math.sqrt((1 - a) / a);
    },
    state: () => ({}),
    restore: () => {},
  };
}
