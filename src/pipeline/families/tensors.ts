// Joining what text encoders give.

import type { FloatTensor } from '../types.js';

/** [1, S, A] and [1, S, B] to [1, S, A + B], or to [1, S, width] with zeros behind. */
export function joinFeatures(tensors: readonly FloatTensor[], width?: number): FloatTensor {
  const length = tensors[0]!.dims[1]!;
  const total = tensors.reduce((sum, { dims }) => sum + dims[2]!, 0);
  const size = width ?? total;
  const data = new Float32Array(length * size);
  let from = 0;
  for (const { data: values, dims } of tensors) {
    if (dims[1] !== length) throw new Error('Expected text encoders to give as many tokens');
    const own = dims[2]!;
    const taken = Math.min(own, size - from);
    for (let s = 0; s < length; s++)
      data.set(values.subarray(s * own, s * own + taken), s * size + from);
    from += taken;
  }
  return { data, dims: [1, length, size] };
}

/** [1, S, D] and [1, T, D] to [1, S + T, D]. */
export function joinTokens(first: FloatTensor, second: FloatTensor): FloatTensor {
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { data, dims: [1, first.dims[1]! + second.dims[1]!, first.dims[2]!] };
}

/** [1, A] and [1, B] to [1, A + B]. */
export function joinVectors(first: FloatTensor, second: FloatTensor): FloatTensor {
  const data = new Float32Array(first.data.length + second.data.length);
  data.set(first.data);
  data.set(second.data, first.data.length);
  return { data, dims: [1, data.length] };
}

export function zerosLike({ data, dims }: FloatTensor): FloatTensor {
  return { data: new Float32Array(data.length), dims };
}
