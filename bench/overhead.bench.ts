// What the engine adds to the graph calls of a generation, previews on and off: its total over what its
// own `session.run` calls took. Beside it, without a goal, over the same calls made one after another in
// this process, in turn: a shared machine gives one process quicker calls than another by chance, and
// its speed drifts by a quarter, so that this says within some percent whether calls are slower in the
// engine than elsewhere, and nothing finer.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createEngine } from '../src/engine/index.js';
import { openGraph } from '../src/pipeline/session.js';
import { loadTokenizer } from '../src/pipeline/tokenizer.js';
import type { GenerationParameters, ModelInfo } from '../src/pipeline/types.js';
import { median, report } from './support/report.js';

export interface OverheadResult {
  /** ms of the bare calls of one generation, median */
  readonly bareMs: number;
}

/**
 * @param label the model's name in the report
 * @param parameters of the generation, whose seed is changed from run to run
 * @param runs of each kind
 */
export async function benchOverhead(
  label: string,
  directory: string,
  parameters: Omit<GenerationParameters, 'seed'>,
  runs: number,
): Promise<OverheadResult> {
  const engine = createEngine({ modelDirectory: directory, providers: ['cpu'] });
  const info = await engine.ready;
  const threads = info.threads ?? 1;
  let seed = 1;
  const generate = async (previews: boolean) => {
    const begun = performance.now();
    const run = engine.run({
      id: `bench-${seed}`,
      parameters: { ...parameters, seed: seed++ },
      start: { kind: 'noise' },
      maxBytes: 10 * 2 ** 20,
    });
    // As a reply does: one preview, then a second's rest that the rate limit asks for.
    const follow = async () => {
      while ((await run.nextPreview()) !== undefined) await delay(1000, undefined, { ref: false });
    };
    if (previews) void follow();
    const { timings } = await run.result;
    const ms = performance.now() - begun;
    return { ms, calls: timings.unet.length, overOwn: ms / timings.graphs };
  };
  try {
    const { calls } = await generate(false); // pays for the embeddings' cache and the arenas
    const bare = await bareCalls(directory, info, parameters, calls, threads);
    await bare.run();
    const figures = { bare: [] as number[], off: [] as number[], on: [] as number[] };
    const ratios = { off: [] as number[], on: [] as number[] };
    const overOwn = { off: [] as number[], on: [] as number[] };
    let before = await bare.run();
    for (let i = 0; i < runs; i++) {
      for (const kind of ['off', 'on'] as const) {
        const { ms, overOwn: own } = await generate(kind === 'on');
        overOwn[kind].push(own);
        const after = await bare.run();
        figures[kind].push(ms);
        figures.bare.push(after);
        ratios[kind].push((2 * ms) / (before + after));
        before = after;
      }
    }
    await bare.release();
    const note = `${median(figures.off).toFixed(0)} ms over ${median(figures.bare).toFixed(0)} ms, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    report(`${label}: total over its calls, previews off`, median(overOwn.off), '', 1.02);
    report(`${label}: total over its calls, previews on`, median(overOwn.on), '', 1.05);
    report(
      `${label}: total over a bare process's calls, off`,
      median(ratios.off),
      '',
      undefined,
      note,
    );
    report(`${label}: total over a bare process's calls, on`, median(ratios.on), '');
    return { bareMs: median(figures.bare) };
  } finally {
    await engine.close();
  }
}

/** The same graphs with the same options, fed with inputs of the same shapes. */
async function bareCalls(
  directory: string,
  info: ModelInfo,
  { steps, guidanceScale, width, height }: Omit<GenerationParameters, 'seed'>,
  calls: number,
  threads: number,
) {
  const options = { provider: 'cpu', threads };
  const unet = await openGraph(directory, join(directory, 'unet', 'model.onnx'), options);
  const vae = await openGraph(directory, join(directory, 'vae_decoder', 'model.onnx'), options);
  const text = await openGraph(directory, join(directory, 'text_encoder', 'model.onnx'), options);
  const batch = guidanceScale > 1 && calls === steps ? 2 : 1;
  const [h, w] = [height / info.vaeScale, width / info.vaeScale];
  const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
  const { length } = await loadTokenizer(directory, 'tokenizer', undefined);
  const ids = text.feed('input_ids', Array<number>(length).fill(0), [1, length]);
  const hidden = (await text.run({ input_ids: ids })).last_hidden_state!;
  const context = [batch, length, hidden.dims[2]!];
  const rank = unet.inputs.get('timestep')!.shape.length;
  const feeds = {
    sample: unet.feed('sample', wave(batch * info.latentChannels * h * w), [
      batch,
      info.latentChannels,
      h,
      w,
    ]),
    timestep: unet.feed('timestep', [500], rank === 0 ? [] : [1]),
    encoder_hidden_states: unet.feed(
      'encoder_hidden_states',
      wave(context.reduce((a, b) => a * b)),
      context,
    ),
  };
  const latents = vae.feed('latent_sample', wave(info.latentChannels * h * w), [
    1,
    info.latentChannels,
    h,
    w,
  ]);
  return {
    async run(): Promise<number> {
      const begun = performance.now();
      for (let i = 0; i < calls; i++) await unet.session.run(feeds);
      await vae.session.run({ latent_sample: latents });
      return performance.now() - begun;
    },
    async release(): Promise<void> {
      await Promise.all([unet.release(), vae.release(), text.release()]);
    },
  };
}
