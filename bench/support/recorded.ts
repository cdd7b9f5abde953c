// The bare graph calls of one generation: recorded while the pipeline paints in this process, then
// made again, the same sessions with the same inputs, with nothing between them.
import { InferenceSession } from 'onnxruntime-node';
import { loadModel } from '../../src/pipeline/index.js';
import type { GenerationParameters } from '../../src/pipeline/types.js';

type Feeds = Parameters<InferenceSession['run']>[0];

export interface BareCalls {
  readonly count: number;
  /** @returns ms of all calls together */
  run(): Promise<number>;
  release(): Promise<void>;
}

/** Records every call from the prompt to the decoded picture. */
export async function recordCalls(
  directory: string,
  threads: number,
  parameters: GenerationParameters,
): Promise<BareCalls> {
  const model = await loadModel(directory, { providers: ['cpu'], threads });
  const calls: { readonly session: InferenceSession; readonly feeds: Feeds }[] = [];
  const sessions = InferenceSession as unknown as { readonly prototype: InferenceSession };
  const run = sessions.prototype.run as (feeds: Feeds) => ReturnType<InferenceSession['run']>;
  sessions.prototype.run = function record(this: InferenceSession, feeds: Feeds) {
    calls.push({ session: this, feeds });
    return run.call(this, feeds);
  };
  try {
    let last: Parameters<typeof model.decode>[0] | undefined;
    for await (const { latents } of model.generate(parameters)) last = latents;
    await model.decode(last!);
  } finally {
    sessions.prototype.run = run;
  }
  return {
    count: calls.length,
    async run() {
      const begun = performance.now();
      for (const { session, feeds } of calls) await session.run(feeds);
      return performance.now() - begun;
    },
    release: () => model.dispose(),
  };
}
