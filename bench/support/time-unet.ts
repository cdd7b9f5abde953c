// One provider's times of a UNet, in a process of its own: a GPU that fails or a provider that runs
// out of memory costs this process and no more. Told what to do by one message, answers by messages.

import { performance } from 'node:perf_hooks';
import { whyNot } from '../../src/pipeline/providers.js';
import { type Graph, openGraph } from '../../src/pipeline/session.js';

export interface TimeRequest {
  /** with unet/model.onnx below */
  readonly directory: string;
  readonly provider: string;
  readonly threads: number;
  /** px per side; each is run with one sample and with two */
  readonly sizes: readonly number[];
  /** calls of each kind, fewer where they are slow */
  readonly calls: number;
}

/** ms, or why there is no number */
export interface TimeReply {
  readonly size: number;
  readonly batch: number;
  readonly first?: number;
  readonly times?: readonly number[];
  readonly reason?: string;
}

export type TimeMessage =
  | { readonly kind: 'loaded'; readonly milliseconds: number }
  | ({ readonly kind: 'timed' } & TimeReply)
  | { readonly kind: 'end'; readonly reason?: string };

/** px per latent */
const SCALE = 8;
/** tokens of a prompt */
const SEQUENCE = 77;
/** ms after which no further call of a kind is begun */
const PATIENCE = 30_000;

const say = (message: TimeMessage): Promise<void> =>
  new Promise((resolve) => process.send!(message, undefined, {}, () => resolve()));

process.on('message', (request: TimeRequest) => {
  void run(request)
    .catch(async (error: unknown) =>
      say({ kind: 'end', reason: await whyNot(request.provider, error) }),
    )
    .finally(() => process.kill(process.pid, 'SIGKILL')); // native libraries may wait at their exit
});

async function run({ directory, provider, threads, sizes, calls }: TimeRequest): Promise<void> {
  const begun = performance.now();
  const path = `${directory}/unet/model.onnx`;
  const graph = await openGraph(directory, path, { provider, threads });
  await say({ kind: 'loaded', milliseconds: performance.now() - begun });
  for (const size of sizes) {
    for (const batch of [1, 2]) {
      try {
        const { first, times } = await time(graph, size / SCALE, batch, calls);
        await say({ kind: 'timed', size, batch, first, times });
      } catch (error) {
        await say({ kind: 'timed', size, batch, reason: await whyNot(provider, error) });
      }
    }
  }
  await say({ kind: 'end' });
}

async function time(graph: Graph, side: number, batch: number, calls: number) {
  const call = async () => {
    const begun = performance.now();
    await graph.run(feeds(graph, side, batch));
    return performance.now() - begun;
  };
  const first = await call();
  const times: number[] = [];
  let spent = 0;
  while (times.length < calls && (spent < PATIENCE || times.length < 1)) {
    times.push(await call());
    spent += times.at(-1)!;
  }
  return { first, times };
}

/** Every input as the graph declares it: waves of unit size, whatever they stand for. */
function feeds(graph: Graph, side: number, batch: number) {
  const dims: Record<string, number[]> = {
    sample: [batch, 4, side, side],
    timestep: [],
    encoder_hidden_states: [batch, SEQUENCE],
    text_embeds: [batch],
    time_ids: [batch],
  };
  return Object.fromEntries(
    [...graph.inputs].map(([name, { shape }]) => {
      const known = dims[name] ?? [];
      const full = shape.map((size, i) => known[i] ?? Number(size));
      const length = full.reduce((a, b) => a * b, 1);
      const wave = Float32Array.from({ length }, (_, i) => Math.sin(i));
      return [name, graph.feed(name, name === 'timestep' ? [500] : wave, full)];
    }),
  );
}
