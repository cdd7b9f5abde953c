// The bare graph calls of one generation: recorded while the pipeline paints in this process, then
// made again, the same sessions with the same inputs, with nothing between them.
import { InferenceSession } from 'onnxruntime-node';
import { loadModel } from '../../src/pipeline/index.js';
import type { GenerationParameters } from '../../src/pipeline/types.js';
import { gaps } from './report.js';

type Feeds = Parameters<InferenceSession['run']>[0];

export interface BareCalls {
  readonly count: number;
  /** @returns ms of the calls up to the first step's end, of each further step, and of the rest */
  run(): Promise<readonly number[]>;
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
  const ends = stepEnds(calls, parameters.steps);
  ends.add(calls.length - 1);
  return {
    count: calls.length,
    async run() {
      const marks = [performance.now()];
      for (const [i, { session, feeds }] of calls.entries()) {
        await session.run(feeds);
        if (ends.has(i)) marks.push(performance.now());
      }
      return gaps(marks);
    },
    release: () => model.dispose(),
  };
}

/** The last call of each step: a step calls the denoiser, the graph that is called most, once or twice. */
function stepEnds(
  calls: readonly { readonly session: InferenceSession }[],
  steps: number,
): Set<number> {
  const places = new Map<InferenceSession, number[]>();
  for (const [i, { session }] of calls.entries())
    places.set(session, [...(places.get(session) ?? []), i]);
  const [denoiser = []] = [...places.values()].sort((a, b) => b.length - a.length);
  const each = denoiser.length / steps;
  if (!Number.isInteger(each)) throw new Error(`${denoiser.length} calls for ${steps} steps`);
  return new Set(denoiser.filter((_, i) => i % each === each - 1));
}
