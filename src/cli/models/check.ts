// `ylem models check`: what is to be said of a model, on a terminal or as JSON.

import type { Config } from '../../config.js';
import { type painter as Painter, painter, printable, sizeText, table } from '../style.js';
import type { ModelsArguments } from './arguments.js';
import { placeOf } from './directory.js';
import { inspectModel, type ModelCheck } from './inspect.js';
import { shortPath } from './pull.js';
import { createTransfers } from './transfers.js';

type Asked = Extract<ModelsArguments, { command: 'check' }>;
type Paint = ReturnType<typeof Painter>;

/** @returns 0, or 1 where the model would not run here */
export async function check(asked: Asked, config: Config): Promise<number> {
  const place = await placeOf(config, asked.model ?? config.modelDirectory);
  const progress = createTransfers(process.stderr);
  const checked = await inspectModel(place, config, asked, progress.say).finally(progress.end);
  process.stdout.write(
    asked.json ? `${JSON.stringify(checked)}\n` : inWords(checked, painter(process.stdout)),
  );
  return checked.runs ? 0 : 1;
}

const FAMILIES: Readonly<Record<string, string>> = {
  sd: 'Stable Diffusion 1.x or 2.x',
  lcm: 'latent consistency model',
  sdxl: 'Stable Diffusion XL',
  sd3: 'Stable Diffusion 3',
  flux: 'Flux',
};

function inWords(checked: ModelCheck, paint: Paint): string {
  const { facts, source, directory } = checked;
  const lines = [`${paint('bold', checked.name)}  ${paint('dim', shortPath(directory))}\n`];
  const about: string[][] = [];
  if (facts !== undefined) {
    const { family, defaultWidth, defaultHeight, sizeMultiple } = facts;
    about.push(
      ['  family', `${family} (${FAMILIES[family] ?? 'see README.md'})`],
      [
        '  size',
        `${defaultWidth}x${defaultHeight} px unless asked otherwise, in steps of ${sizeMultiple}`,
      ],
      ['  steps', `${facts.defaultSteps}, guidance ${facts.defaultGuidanceScale}`],
      ['  scheduler', facts.defaultScheduler],
      ['  precision', precisionText(checked)],
    );
  }
  if (source !== undefined) {
    about.push([
      '  from',
      `${source.repository}@${source.revision}, commit ${source.commit.slice(0, 10)}`,
    ]);
  }
  lines.push(table(about), '\n');
  lines.push(
    table(
      checked.parts.map((part) => partRow(part, paint)),
      [2],
    ),
  );
  lines.push(...providerLines(checked, paint), ...memoryLines(checked, paint));
  for (const warning of checked.warnings)
    lines.push(`${paint('yellow', '!')} ${printable(warning)}\n`);
  for (const problem of checked.problems)
    lines.push(`${paint('red', '✗')} ${printable(problem)}\n`);
  lines.push(
    checked.runs
      ? `${paint('green', '✓')} ${checked.measured ? 'It paints here.' : 'It would run here.'}\n`
      : `${paint('red', '✗')} It would not run here.\n`,
  );
  return lines.join('');
}

function precisionText({ facts, parts }: ModelCheck): string {
  const stored = [...new Set(parts.flatMap((part) => (part.stored ? [part.stored] : [])))];
  return `${facts?.precision ?? 'unknown'}, weights stored as ${stored.join(' and ') || 'unknown'}`;
}

function partRow(part: ModelCheck['parts'][number], paint: Paint): string[] {
  const { name, bytes, fault, opset, producer = '', required } = part;
  const mark = fault !== undefined ? paint('red', '✗') : paint('green', '✓');
  const made = [opset === undefined ? '' : `opset ${opset}`, printable(producer).slice(0, 40)];
  return [
    mark,
    name,
    sizeText(bytes),
    ...(fault !== undefined
      ? ['damaged or missing', '']
      : [part.precision ?? '', paint('dim', made.filter(Boolean).join(', '))]),
    required ? '' : paint('dim', 'optional'),
  ];
}

function providerLines({ providers }: ModelCheck, paint: Paint): string[] {
  return providers.map(({ name, works, reason = '' }) =>
    works
      ? `${paint('green', '✓')} runs on ${name}\n`
      : `${paint('dim', '–')} ${paint('dim', `not on ${name}: ${printable(reason)}`)}\n`,
  );
}

function memoryLines({ memory, providers, measured }: ModelCheck, paint: Paint): string[] {
  if (memory === undefined) return [];
  const provider = providers.find(({ works }) => works)?.name ?? 'cpu';
  const where = provider === 'cpu' ? 'memory' : `memory, most of it the GPU's (${provider})`;
  const lines = [
    `${paint(memory.total > memory.available && provider === 'cpu' ? 'yellow' : 'green', '✓')} about ${sizeText(memory.total)} of ${where} (an estimate: weights ${sizeText(memory.weights)}, a picture in passing ${sizeText(memory.activations)}, the process ${sizeText(memory.process)}); ${sizeText(memory.available)} of ${sizeText(memory.machine)} are free\n`,
  ];
  if (measured !== undefined) {
    const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`;
    lines.push(
      `${paint('green', '✓')} measured on ${measured.provider}: ${sizeText(measured.peakBytes)} at most, ${sizeText(measured.loadedBytes)} once loaded; loading ${seconds(measured.load)}, one step of ${measured.width}x${measured.height} px ${seconds(measured.step)}, decoding ${seconds(measured.decode)}\n`,
    );
  }
  return lines;
}
