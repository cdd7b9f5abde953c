// Parity with diffusers, as a table: paints the cases that test/fixtures/make_families.py --random
// has written, and writes docs/parity.md from what came out.
//
//     python test/fixtures/make_families.py --random 1 --out /tmp/cases
//     node --import tsx bench/parity.ts /tmp/cases [more folders]
//
// Exit status 1 when a picture is beyond the limits.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GenerationParameters, loadModel, type Model } from '../src/pipeline/index.js';
import { assembleModel } from '../test/support/models.js';

/** levels of 255, in any pixel and on average */
const LIMITS = { most: 2, mean: 0.01 };
const FILE = fileURLToPath(new URL('../docs/parity.md', import.meta.url));

/** what a reader of the table should know beside it */
const ON_PURPOSE = [
  '## Where it is not the same on purpose',
  '',
  '- A negative prompt that is empty is none. Stable Diffusion XL is then shown zeros, as diffusers does without `negative_prompt`; `negative_prompt=""` there is another picture.',
  "- Inpainting with Stable Diffusion 3: diffusers' pipeline leaves out the VAE's shift when it decodes, which changes the colours of what the mask keeps too. Here it is added, as in its other pipelines; the latents are the same.",
  "- An init image is cropped evenly, not stretched, where its proportions are others than the picture's; only what its sides have beyond whole latents is squeezed in. Its transparent parts are white, whatever colour lies below them.",
  "- Stable Diffusion XL inpainting with a VAE that has latents_mean and latents_std (Playground v2.5): diffusers' pipeline leaves them out when it encodes, but not when it decodes. Here both heed them.",
  "- An init image in other colours than sRGB (a phone's Display P3, CMYK) is converted by its profile, and one of 16-bit greys is brought to 8 bits; diffusers reads the bare numbers and clips them. One of more than 16 million pixels is made smaller in two steps, which differs by up to 4 levels.",
  '- Characters that are newer than the Unicode version of Node.js may be cut into other tokens.',
];

interface Case {
  readonly model: string;
  readonly picture: string;
  /** levels by which diffusers' own picture moves when its model's estimates grow by 2^-22 */
  readonly moves?: number;
  readonly parameters: GenerationParameters;
}

interface Outcome extends Case {
  readonly scheduler: string;
  readonly most: number;
  readonly mean: number;
  readonly verdict: 'equal' | 'sensitive' | 'different';
}

const models = new Map<string, { readonly folder: string; readonly model: Model }>();
const outcomes: Outcome[] = [];
for (const folder of process.argv.slice(2)) {
  const cases = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8')) as readonly Case[];
  for (const one of cases) {
    const outcome = await compare(folder, one);
    outcomes.push(outcome);
    if (outcome.verdict !== 'equal') console.error(describe(outcome));
  }
}
for (const { folder, model } of models.values()) {
  await model.dispose();
  await rm(folder, { recursive: true });
}
await writeFile(FILE, page());
const different = outcomes.filter(({ verdict }) => verdict === 'different').length;
console.log(`${outcomes.length} pictures, ${different} beyond the limits; ${FILE}`);
process.exitCode = different > 0 ? 1 : 0;

async function compare(folder: string, one: Case): Promise<Outcome> {
  let known = models.get(one.model);
  if (known === undefined) {
    const copy = await assembleModel(one.model);
    known = { folder: copy, model: await loadModel(copy, { providers: ['cpu'], threads: 1 }) };
    models.set(one.model, known);
  }
  const { model } = known;
  let latents: Parameters<Model['decode']>[0] | undefined;
  for await (const step of model.generate(one.parameters)) latents = step.latents;
  const { data } = await model.decode(latents!);
  const expected = await readFile(join(folder, one.picture));
  let [most, sum] = [0, 0];
  for (const [i, level] of expected.entries()) {
    const difference = Math.abs(level - (data[i] ?? Number.POSITIVE_INFINITY));
    most = Math.max(most, difference);
    sum += difference;
  }
  const mean = sum / expected.length;
  const within = most <= LIMITS.most && mean <= LIMITS.mean;
  const sensitive = (one.moves ?? 0) > LIMITS.mean / 2;
  return {
    ...one,
    scheduler: one.parameters.scheduler ?? `(${model.info.defaultScheduler})`,
    most,
    mean,
    verdict: within ? 'equal' : sensitive ? 'sensitive' : 'different',
  };
}

function describe({ model, scheduler, parameters, most, mean, moves, verdict }: Outcome): string {
  const { steps, guidanceScale, width, height, seed } = parameters;
  return `${verdict}: ${model}, ${scheduler}, ${steps} steps, guidance ${guidanceScale}, ${width}x${height}, seed ${seed}: at most ${most}, on average ${mean.toFixed(4)}; diffusers' own moves by ${moves?.toFixed(4)}`;
}

function page(): string {
  const names = [...new Set(outcomes.map(({ model }) => model))];
  const schedulers = [...new Set(outcomes.map(({ scheduler }) => scheduler.replace(/[()]/g, '')))];
  const count = (verdict: Outcome['verdict']) =>
    outcomes.filter((outcome) => outcome.verdict === verdict).length;
  const cell = (model: string, scheduler: string) => {
    const here = outcomes.filter(
      (o) => o.model === model && o.scheduler.replace(/[()]/g, '') === scheduler,
    );
    const counted = here.filter(({ verdict }) => verdict !== 'sensitive');
    const left = here.length - counted.length;
    if (here.length === 0) return '';
    if (counted.length === 0) return `(${left} sensitive)`;
    const most = Math.max(...counted.map((o) => o.most));
    const mean = Math.max(...counted.map((o) => o.mean));
    return `${most}, ${mean.toFixed(4)}${left > 0 ? ` (+${left} sensitive)` : ''}`;
  };
  const rows = schedulers
    .sort()
    .map((name) => `| ${name} | ${names.map((model) => cell(model, name)).join(' | ')} |`);
  const sensitive = outcomes.filter(({ verdict }) => verdict === 'sensitive');
  return [
    '# Parity with diffusers',
    '',
    `Written by \`bench/parity.ts\` from ${outcomes.length} pictures, each painted by diffusers (torch, CPU, float32) and by Ylem (onnxruntime, CPU) with the same small random-weight model (\`test/fixtures/make_families.py\`): 8, 13, 20 and 50 steps (LCM also 1 and 4), guidance 1 to 20, several sizes, with and without a negative prompt, prompts that are empty, far over 77 tokens, of mixed scripts and emoji, seeds from 0 to 2^32 - 1.`,
    '',
    'Each cell: the largest difference of any pixel, and the largest average difference of a picture, in levels of 255. The limits are 2 and 0.01.',
    '',
    `| scheduler | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---').join('|')}|`,
    ...rows,
    '',
    `${count('equal')} pictures are within the limits, ${count('different')} are not.`,
    ...(sensitive.length === 0
      ? []
      : [
          '',
          `${sensitive.length} more are beyond them, but sensitive: diffusers' own picture moves as well, by more than half the limit on average, when each estimate of its model is made larger by 2^-22, the last bits of float32. There the order of additions decides, not the algorithm.`,
          '',
          ...sensitive.map((o) => `- ${describe(o)}`),
        ]),
    '',
    ...ON_PURPOSE,
    '',
  ].join('\n');
}
