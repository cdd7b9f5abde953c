// A1111's infotext: the parameters as people copy and paste them.

import {
  type GenerationParameters,
  type ModelInfo,
  SCHEDULER_NAMES,
  type SchedulerName,
} from '../types.js';

/** What an infotext says beside the parameters. */
export interface InfotextExtras {
  readonly branch?: { readonly fromStep: number; readonly seed: number };
  /** steps done, for a run that was stopped */
  readonly stoppedAt?: number;
}

/** What the program calls itself in the files it makes. */
const VERSION = 'ylem';

/** Sampler and schedule type stand apart, as A1111 has it since 1.9. */
export function infotextOf(
  p: GenerationParameters,
  model: Pick<ModelInfo, 'name' | 'hash' | 'defaultScheduler'>,
  extras: InfotextExtras = {},
): string {
  const scheduler = p.scheduler ?? model.defaultScheduler;
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
    ['Model hash', model.hash],
    ['Model', model.name],
    ['RNG', 'CPU'],
  );
  if (extras.branch)
    values.push(['Branch step', extras.branch.fromStep], ['Branch seed', extras.branch.seed]);
  if (extras.stoppedAt !== undefined) values.push(['Stopped at', extras.stoppedAt]);
  values.push(['Version', VERSION]);
  const lines = [p.prompt];
  if (p.negativePrompt !== '') lines.push(`Negative prompt: ${p.negativePrompt}`);
  lines.push(values.map(([key, value]) => `${key}: ${quote(String(value))}`).join(', '));
  return lines.join('\n');
}

const quote = (value: string): string => (/[,:\n]/.test(value) ? JSON.stringify(value) : value);

/** What could be read; absent where the text does not say. */
export interface ReadInfotext {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed?: number;
  readonly steps?: number;
  readonly guidanceScale?: number;
  readonly width?: number;
  readonly height?: number;
  readonly scheduler?: SchedulerName;
}

/** Reads an infotext back, A1111's too. What is missing or no number is left out. */
export function parseInfotext(text: string): ReadInfotext {
  const lines = text.split('\n');
  const values = /^\s*Steps: /.test(lines.at(-1) ?? '')
    ? keyValues(lines.pop()!)
    : new Map<string, string>();
  const mark = 'Negative prompt: ';
  const negativeAt = lines.findLastIndex((line) => line.startsWith(mark));
  const prompt = (negativeAt < 0 ? lines : lines.slice(0, negativeAt)).join('\n');
  const negativePrompt =
    negativeAt < 0 ? '' : lines.slice(negativeAt).join('\n').slice(mark.length);
  const size = /^(\d+)x(\d+)$/.exec(values.get('Size') ?? '');
  const schedule = values.get('Schedule type');
  const sampler = [values.get('Sampler'), schedule === 'Automatic' ? undefined : schedule]
    .filter(Boolean)
    .join(' ');
  const scheduler = SCHEDULER_NAMES.find((name) => name === sampler);
  return {
    prompt,
    negativePrompt,
    ...numberOf('seed', values.get('Seed')),
    ...numberOf('steps', values.get('Steps')),
    ...numberOf('guidanceScale', values.get('CFG scale')),
    ...numberOf('width', size?.[1]),
    ...numberOf('height', size?.[2]),
    ...(scheduler === undefined ? {} : { scheduler }),
  };
}

function numberOf<K extends string>(key: K, text: string | undefined): { [P in K]?: number } {
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  return (Number.isFinite(value) ? { [key]: value } : {}) as { [P in K]?: number };
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
