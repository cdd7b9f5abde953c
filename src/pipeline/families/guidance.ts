// Guidance: by two estimates (classifier-free), or as an embedding that a distilled model takes.

import type { FloatTensor } from '../types.js';

/**
 * Classifier-free guidance (Ho and Salimans 2022): e = e_u + s (e_c - e_u), with float32 arithmetic.
 * @param rescale 0 to 1: how far the guided estimate gets the conditional one's standard deviation
 *   (Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed", section 3.4)
 */
export function guide(
  unconditional: Float32Array,
  conditional: Float32Array,
  guidanceScale: number,
  rescale: number,
): Float32Array {
  const scale = Math.fround(guidanceScale);
  const guided = new Float32Array(conditional.length);
  for (let i = 0; i < guided.length; i++) {
    const difference = Math.fround(conditional[i]! - unconditional[i]!);
    guided[i] = unconditional[i]! + Math.fround(scale * difference);
  }
  if (rescale <= 0) return guided;
  const ratio = Math.fround(deviation(conditional) / deviation(guided));
  const [much, little] = [Math.fround(rescale), Math.fround(1 - rescale)];
  return guided.map(
    (value) => Math.fround(much * Math.fround(value * ratio)) + Math.fround(little * value),
  );
}

/** Standard deviation with Bessel's correction, as float32. */
function deviation(values: Float32Array): number {
  let mean = 0;
  for (const value of values) mean += value;
  mean /= values.length;
  let sum = 0;
  for (const value of values) sum += (value - mean) ** 2;
  return Math.fround(Math.sqrt(sum / (values.length - 1)));
}

/**
 * Latent consistency models (Luo et al. 2023): w = guidance - 1 as a sinusoidal embedding [1, width],
 * first half sines and second half cosines of 1000 w at falling frequencies. The angles are rounded
 * to float32 as diffusers has them: at thousands of radians that is seen.
 */
export function guidanceEmbedding(guidanceScale: number, width: number): FloatTensor {
  const half = width >> 1;
  const angle = Math.fround(Math.fround(guidanceScale - 1) * 1000);
  const fall = Math.fround(Math.fround(Math.log(10000)) / (half - 1));
  const data = new Float32Array(width);
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(Math.exp(-Math.fround(i * fall)));
    const radians = Math.fround(angle * frequency);
    data[i] = Math.sin(radians);
    data[half + i] = Math.cos(radians);
  }
  return { data, dims: [1, width] };
}
