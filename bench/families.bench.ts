// Every family of models, painted from request to file: against the graph calls of the same picture,
// its own and those of a bare process, and against Optimum's ONNX Runtime pipeline on the same
// directory with as many threads.
//
//     npm run bench -- families [sd] [sdxl] [lcm] [sd3] [flux] [--steps 8] [--rounds 3] [--turns 8]
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { createEngine } from '../src/engine/index.js';
import type { GenerationParameters } from '../src/pipeline/types.js';
import { BENCH_FAMILIES, type BenchFamily, makeFamily, SIDE } from './support/families.js';
import { HOW_TO_HAVE_IT, MODULES, type Optimum, openOptimum } from './support/optimum.js';
import { pythonWith } from './support/python.js';
import { recordCalls } from './support/recorded.js';
import { gaps, median, report } from './support/report.js';

const ABOUT = `
Families, random weights, ${SIDE}x${SIDE}. One picture with a prompt that was not seen before, in turn:
  total    from engine.run to the PNG file in the calling process: engine process, all steps received, no previews
  its calls  what the session.run calls of that very picture took (text encoders, each step, VAE): median ratio
  bare     the same calls, recorded and made again one after another in a process that does nothing else
  Optimum  from calling its pipeline to the picture as a PNG file in memory, compressed as ours is; same
           directory, same number of threads
A shared machine adds time, by a quarter for seconds, and never takes any away. So for what is compared
between processes a picture is timed in parts (up to the first step's end, each further step, what comes
after the last), and told is the sum of the fastest that each part was in any turn; the medians of whole
pictures stand beside it. How far one picture of ours is from Optimum's of the same seed shows that both
paint the same.
`;

interface Extent {
  readonly steps: number;
  readonly rounds: number;
  readonly turns: number;
}

/** ms of the parts of one picture: up to the first step's end, each further step, the rest */
type Parts = readonly number[];

/** What the rounds of one family have shown so far, as many pictures of each. */
interface Seen {
  readonly bare: Parts[];
  readonly ours: Parts[];
  readonly theirs: Parts[];
  /** pictures of ours over their own calls */
  readonly overOwn: number[];
  /** the largest between two pictures, in levels of 255 */
  difference: number;
  /** session.run calls of one picture */
  calls: number;
  threads: number;
  /** Optimum's class and versions; undefined where it did not run */
  about: string | undefined;
}

export async function benchFamilies(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      steps: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      turns: { type: 'string', default: '8' },
    },
  });
  const { steps, rounds, turns } = values;
  const extent = { steps: Number(steps), rounds: Number(rounds), turns: Number(turns) };
  const python = pythonWith(MODULES);
  process.stdout.write(
    `${ABOUT}${steps} steps; ${rounds} rounds of ${turns} turns, each round with fresh processes\n`,
  );
  if (python === undefined) {
    process.stdout.write(`Optimum: no Python here has it. To have it: ${HOW_TO_HAVE_IT}\n`);
  }
  for (const family of BENCH_FAMILIES) {
    if (positionals.length > 0 && !positionals.includes(family.name)) continue;
    const directory = await makeFamily(family);
    try {
      await benchFamily(family, directory, extent, python);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

async function benchFamily(
  family: BenchFamily,
  directory: string,
  { steps, rounds, turns }: Extent,
  python: string | undefined,
): Promise<void> {
  const { name } = family;
  const seen: Seen = {
    bare: [],
    ours: [],
    theirs: [],
    overOwn: [],
    difference: 0,
    calls: 0,
    threads: 1,
    about: undefined,
  };
  for (let round = 0; round < rounds; round++)
    await benchRound(family, directory, steps, turns, python, seen);
  const how = `${seen.calls} calls, ${seen.threads} ${seen.threads === 1 ? 'thread' : 'threads'}`;
  report(`${name}: total over its calls`, median(seen.overOwn), '', 1.05, how);
  compare(`${name}: total over a bare process's calls`, seen.ours, seen.bare);
  if (seen.about === undefined) return;
  const pictures = `pictures differ by at most ${seen.difference} of 255`;
  compare(`${name}: total over Optimum's`, seen.ours, seen.theirs, 1, pictures);
  process.stdout.write(`  ${seen.about}\n`);
}

/** ms of a picture whose every part was as fast as it was at its fastest */
function undisturbed(pictures: readonly Parts[]): number {
  const [first] = pictures;
  return sum(first!.map((_, part) => Math.min(...pictures.map((parts) => parts[part]!))));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** One line: these pictures over those. */
function compare(
  what: string,
  these: readonly Parts[],
  those: readonly Parts[],
  atMost?: number,
  more?: string,
): void {
  const [ours, theirs] = [undisturbed(these), undisturbed(those)];
  const medians = (median(these.map(sum)) / median(those.map(sum))).toFixed(3);
  const figures = `${ours.toFixed(0)} ms over ${theirs.toFixed(0)} ms (medians ${medians})`;
  report(what, ours / theirs, '', atMost, [figures, ...(more ? [more] : [])].join(', '));
}

/** Fresh processes and sessions: where their memory happens to lie makes some percent. */
async function benchRound(
  { name, guidanceScale }: BenchFamily,
  directory: string,
  steps: number,
  turns: number,
  python: string | undefined,
  seen: Seen,
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
    let graphs = 0;
    const ours = async (seed: number): Promise<Parts> => {
      const marks = [performance.now()];
      const job = { start: { kind: 'noise' }, maxBytes: 10 * 2 ** 20 } as const;
      const run = engine.run(
        { id: `bench-${seed}`, parameters: parameters(seed), ...job },
        { onStep: () => marks.push(performance.now()) },
      );
      const { image, timings } = await run.result;
      marks.push(performance.now());
      [file, graphs] = [image.bytes, timings.graphs];
      return gaps(marks);
    };
    const theirs = async (seed: number, save?: string): Promise<Parts | undefined> =>
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
    await ours(1); // the first calls pay for the arenas
    if (optimum !== undefined) {
      const saved = join(directory, 'theirs.png');
      await theirs(1, saved);
      seen.difference = Math.max(seen.difference, await largestDifference(file, saved));
      seen.about = `${optimum.className}, ${optimum.versions}`;
    }
    Object.assign(seen, { threads, calls: bare.count });
    await bare.run();
    for (let turn = 0; turn < turns; turn++) {
      const seed = 2 + turn;
      const three = [
        async () => seen.bare.push(await bare.run()),
        async () => {
          const parts = await ours(seed);
          seen.ours.push(parts);
          seen.overOwn.push(sum(parts) / graphs);
        },
        async () => {
          const parts = await theirs(seed);
          if (parts !== undefined) seen.theirs.push(parts);
        },
      ];
      // Who comes first changes from turn to turn.
      for (let i = 0; i < 3; i++) await three[(turn + i) % 3]!();
    }
    await bare.release();
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
