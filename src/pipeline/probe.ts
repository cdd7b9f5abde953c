// Whether a provider works on this machine: a tiny graph is opened with it alone and run once. A
// driver may take the whole process down in this: it is for child processes.

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BUILT_IN, providerOptions, whyNot } from './providers.js';
import { matMul, timesSlower, withoutGpu } from './threads.js';

export interface ProviderTrial {
  readonly works: boolean;
  /** why it does not: the end of a sentence, without its point */
  readonly reason?: string;
  /** what was thrown, as it was */
  readonly error?: string;
  /** until the first result, with what the driver prepares */
  readonly ms?: number;
}

/** Nothing is left to the CPU here, as real sessions do with what a provider does not know. */
export async function tryProvider(provider: string): Promise<ProviderTrial> {
  if (!BUILT_IN.has(provider))
    return { works: false, reason: "this platform's onnxruntime-node has none" };
  const begun = performance.now();
  try {
    const options = providerOptions(provider);
    const alone = options.executionProviders?.filter((each) => each !== 'cpu') ?? [];
    const session = await InferenceSession.create(matMul(), {
      ...options,
      ...(alone.length > 0 && {
        executionProviders: alone,
        extra: { session: { disable_cpu_ep_fallback: '1' } },
      }),
      logSeverityLevel: 4,
    });
    const side = 16;
    const matrix = new Tensor('float32', new Float32Array(side * side).fill(0.5), [side, side]);
    const { c } = await session.run({ a: matrix, b: matrix });
    await session.release();
    const values = c?.data as Float32Array;
    if (!values.every((value) => value === side / 4))
      return { works: false, reason: 'it computes wrongly' };
    if (provider === 'webgpu') {
      const times = await timesSlower(provider);
      if (times !== undefined) return { works: false, reason: withoutGpu(times) };
    }
    return { works: true, ms: performance.now() - begun };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { works: false, reason: await whyNot(provider, error), error: text.slice(0, 2000) };
  }
}
