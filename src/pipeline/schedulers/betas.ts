// The noise schedule: betas and their cumulative products, bit-equal to diffusers'.

import { UserError } from '../../errors.js';

const f = Math.fround;

/** torch.linspace in float32: from below up to the middle, from above beyond it. */
export function linspace(start: number, end: number, count: number): Float32Array {
  const step = count > 1 ? f(f(end - start) / (count - 1)) : 0;
  return Float32Array.from({ length: count }, (_, i) =>
    i < count / 2 ? f(f(start) + step * i) : f(f(end) - step * (count - 1 - i)),
  );
}

export function betasOf(config: Record<string, unknown>): Float32Array {
  const count = Number(config.num_train_timesteps ?? 1000);
  if (Array.isArray(config.trained_betas))
    return Float32Array.from(config.trained_betas as number[]);
  const [start, end] = [Number(config.beta_start ?? 0.0001), Number(config.beta_end ?? 0.02)];
  switch (config.beta_schedule ?? 'linear') {
    case 'linear':
      return linspace(start, end, count);
    case 'scaled_linear':
      return linspace(Math.sqrt(start), Math.sqrt(end), count).map((root) => root * root);
    case 'squaredcos_cap_v2': {
      const bar = (t: number) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
      return Float32Array.from({ length: count }, (_, i) =>
        Math.min(1 - bar((i + 1) / count) / bar(i / count), 0.999),
      );
    }
    default:
      throw new UserError(
        'unknown-beta-schedule',
        `The scheduler's beta_schedule ${String(config.beta_schedule)} is not known.`,
      );
  }
}

/** alphas_cumprod: accumulated in float64, every entry rounded to float32. */
export function alphasCumprod(betas: Float32Array): Float32Array {
  let product = 1;
  return betas.map((beta) => {
    product *= f(1 - beta);
    return product;
  });
}

/** Algorithm 1 of Lin et al. 2023: shifted and scaled so that the last step holds no signal. */
export function zeroTerminalSnr(betas: Float32Array): Float32Array {
  const root = alphasCumprod(betas).map((bar) => Math.sqrt(bar));
  const [first, last] = [root[0]!, root.at(-1)!];
  const factor = f(first / f(first - last));
  const bar = root.map((value) => f(f(value - last) * factor) ** 2);
  return bar.map((value, i) => f(1 - (i === 0 ? value : f(value / bar[i - 1]!))));
}
