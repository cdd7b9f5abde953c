// Every family of models, painted from request to file: against the bare graph calls of the same
// picture, and against Optimum's ONNX Runtime pipeline on the same directory with as many threads.
//
//     npm run bench -- families [sd] [sdxl] [lcm] [sd3] [flux] [--steps 8] [--runs 7]
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { createEngine } from '../src/engine/index.js';
import type { GenerationParameters } from '../src/pipeline/types.js';
import { BENCH_FAMILIES, type BenchFamily, makeFamily, SIDE } from './support/families.js';
import { findOptimum, HOW_TO_HAVE_IT, type Optimum, openOptimum } from './support/optimum.js';
import { recordCalls } from './support/recorded.js';
import { median, report } from './support/report.js';

const ABOUT = `
Families, random weights, ${SIDE}x${SIDE}. One picture with a prompt that was not seen before, in turn:
  total    from engine.run to the PNG file in the calling process: engine process, all steps received, no previews
  bare     every session.run of one such picture (text encoders, each step, VAE), recorded and made again
  Optimum  from calling its pipeline to the picture as a PIL image, same directory and number of threads
Ratios are taken within a turn; the median of all turns is told. How far one picture of ours is from
Optimum's of the same seed shows that both paint the same.
`;

export async function benchFamilies(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      steps: { type: 'string', default: '8' },
      runs: { type: 'string', default: '7' },
    },
  });
  const [steps, runs] = [Number(values.steps), Number(values.runs)];
  const python = findOptimum();
  process.stdout.write(`${ABOUT}${steps} steps, ${runs} turns\n`);
  if (python === undefined) {
    process.stdout.write(`Optimum: no Python here has it. To have it: ${HOW_TO_HAVE_IT}\n`);
  }
  for (const family of BENCH_FAMILIES) {
    if (positionals.length > 0 && !positionals.includes(family.name)) continue;
    const directory = await makeFamily(family);
    try {
      await benchFamily(family, directory, steps, runs, python);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

async function benchFamily(
  { name, guidanceScale }: BenchFamily,
  directory: string,
  steps: number,
  runs: number,
  python: string | undefined,
): Promise<void> {
  const engine = createEngine({ modelDirectory: directory, providers: ['cpu'] });
  let optimum: Optimum | undefined;
  try {
    const { threads = 1 } = await engine.ready;
    const parameters = (seed: number): GenerationParameters => ({
      prompt: `a red fox number ${seed}`,
      negativePrompt: '',
      ...{ steps, guidanceScale, seed, width: SIDE, height: SIDE },
    });
    let file: Uint8Array = new Uint8Array();
    const total = async (seed: number): Promise<number> => {
      const begun = performance.now();
      const job = { start: { kind: 'noise' }, maxBytes: 10 * 2 ** 20 } as const;
      const run = engine.run({ id: `bench-${seed}`, parameters: parameters(seed), ...job });
      file = (await run.result).image.bytes;
      return performance.now() - begun;
    };
    const theirs = (seed: number, save?: string): Promise<number> | undefined =>
      optimum?.paint({
        ...(save !== undefined && { save }),
        prompt: parameters(seed).prompt,
        ...{ num_inference_steps: steps, guidance_scale: guidanceScale },
        ...{ width: SIDE, height: SIDE, seed },
      });
    if (python !== undefined) {
      optimum = await openOptimum(python, name, directory, threads).catch((error: Error) => {
        process.stdout.write(`${name}: Optimum cannot load this directory (${error.message})\n`);
        return undefined;
      });
    }
    const bare = await recordCalls(directory, threads, parameters(0));
    await bare.run(); // the first calls pay for the arenas
    await total(1);
    const saved = join(directory, 'theirs.png');
    await theirs(1, saved);
    const difference = optimum === undefined ? undefined : await largestDifference(file, saved);
    const times = { bare: [] as number[], ours: [] as number[], theirs: [] as number[] };
    const ratios = { bare: [] as number[], theirs: [] as number[] };
    for (let turn = 0; turn < runs; turn++) {
      const [bareMs, ours] = [await bare.run(), await total(2 + turn)];
      times.bare.push(bareMs);
      times.ours.push(ours);
      ratios.bare.push(ours / bareMs);
      const ms = await theirs(2 + turn);
      if (ms === undefined) continue;
      times.theirs.push(ms);
      ratios.theirs.push(ours / ms);
    }
    await bare.release();
    const ms = (values: readonly number[]) => `${median(values).toFixed(0)} ms`;
    const how = `${bare.count} calls, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    const against = `${ms(times.ours)} over ${ms(times.bare)}, ${how}`;
    report(`${name}: total over bare calls`, median(ratios.bare), '', 1.05, against);
    if (optimum === undefined) return;
    const about = `${ms(times.ours)} over ${ms(times.theirs)}, pictures differ by at most ${difference} of 255`;
    report(`${name}: total over Optimum's`, median(ratios.theirs), '', 1, about);
    process.stdout.write(`  ${optimum.className}, ${optimum.versions}\n`);
  } finally {
    optimum?.close();
    await engine.close();
  }
}

/** Between two pictures of the same size, over all pixels and colours. */
async function largestDifference(ours: Uint8Array, theirs: string): Promise<number> {
  const raw = (file: Uint8Array | string) => sharp(file).removeAlpha().raw().toBuffer();
  const [a, b] = [await raw(ours), await raw(theirs)];
  if (a.length !== b.length) throw new Error('Expected pictures of the same size');
  return a.reduce((most, level, i) => Math.max(most, Math.abs(level - b[i]!)), 0);
}
