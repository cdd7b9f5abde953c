// A1111's infotext: the parameters as people copy and paste them.

import { type GenerationParameters, SCHEDULER_NAMES, type SchedulerName } from '../types.js';

export interface InfotextFacts {
  readonly parameters: GenerationParameters;
  /** what painted: the named scheduler, or the model's own */
  readonly scheduler: string;
  readonly modelName: string;
  readonly modelHash: string;
  readonly version: string;
  readonly branch?: { readonly fromStep: number; readonly seed: number };
  /** for a stopped run: steps done */
  readonly stoppedAt?: number;
}

/** Sampler and schedule type stand apart, as A1111 has it since 1.9. */
export function formatInfotext(facts: InfotextFacts): string {
  const { parameters: p, scheduler } = facts;
  const karras = scheduler.endsWith(' Karras');
  const values: [string, string | number][] = [
    ['Steps', p.steps],
    ['Sampler', karras ? scheduler.slice(0, -' Karras'.length) : scheduler],
  ];
  if (karras) values.push(['Schedule type', 'Karras']);
  values.push(
    ['CFG scale', p.guidanceScale],
    ['Seed', p.seed],
    ['Size', `${p.width}x${p.height}`],
    ['Model hash', facts.modelHash],
    ['Model', facts.modelName],
    ['RNG', 'CPU'],
  );
  if (facts.branch)
    values.push(['Branch step', facts.branch.fromStep], ['Branch seed', facts.branch.seed]);
  if (facts.stoppedAt !== undefined) values.push(['Stopped at', facts.stoppedAt]);
  values.push(['Version', facts.version]);
  const lines = [p.prompt];
  if (p.negativePrompt !== '') lines.push(`Negative prompt: ${p.negativePrompt}`);
  lines.push(values.map(([key, value]) => `${key}: ${quote(String(value))}`).join(', '));
  return lines.join('\n');
}

const quote = (value: string): string => (/[,:\n]/.test(value) ? JSON.stringify(value) : value);

export interface ReadInfotext {
  readonly parameters: Omit<GenerationParameters, 'width' | 'height'> & {
    readonly width: number;
    readonly height: number;
  };
  /** every key and value of the last line */
  readonly values: ReadonlyMap<string, string>;
}

/** The parameters in an infotext; undefined where its last line holds no steps, seed and size. */
export function parseInfotext(text: string): ReadInfotext | undefined {
  const lines = text.split('\n');
  const values = keyValues(lines.pop() ?? '');
  const size = /^(\d+)x(\d+)$/.exec(values.get('Size') ?? '');
  const steps = Number(values.get('Steps'));
  const seed = Number(values.get('Seed'));
  if (size === null || !Number.isInteger(steps) || !Number.isInteger(seed)) return undefined;
  const mark = 'Negative prompt: ';
  const negativeAt = lines.findLastIndex((line) => line.startsWith(mark));
  const prompt = (negativeAt < 0 ? lines : lines.slice(0, negativeAt)).join('\n');
  const negativePrompt =
    negativeAt < 0 ? '' : lines.slice(negativeAt).join('\n').slice(mark.length);
  const scheduler = [values.get('Sampler'), values.get('Schedule type')]
    .filter((part) => part && part !== 'Automatic')
    .join(' ');
  const known = SCHEDULER_NAMES.find((name): name is SchedulerName => name === scheduler);
  return {
    parameters: {
      prompt,
      negativePrompt,
      seed,
      steps,
      guidanceScale: Number(values.get('CFG scale') ?? 1),
      width: Number(size[1]),
      height: Number(size[2]),
      ...(known ? { scheduler: known } : {}),
    },
    values,
  };
}

function keyValues(line: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const match of line.matchAll(/\s*([\w /-]+):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)/g)) {
    const raw = match[2]!.trim();
    values.set(match[1]!.trim(), raw.startsWith('"') ? unquote(raw) : raw);
  }
  return values;
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
