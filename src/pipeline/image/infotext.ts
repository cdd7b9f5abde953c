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

export interface InfotextFacts extends InfotextExtras {
  readonly parameters: GenerationParameters;
  /** what painted: the named scheduler, or the model's own */
  readonly scheduler: string;
  readonly modelName: string;
  readonly modelHash: string;
  /** of this program */
  readonly version: string;
}

/** The infotext of a picture that this model paints. */
export function infotextOf(
  parameters: GenerationParameters,
  info: Pick<ModelInfo, 'name' | 'hash' | 'defaultScheduler'>,
  extras: InfotextExtras = {},
): string {
  return formatInfotext({
    parameters,
    scheduler: parameters.scheduler ?? info.defaultScheduler,
    modelName: info.name,
    modelHash: info.hash,
    version: 'Ylem',
    ...extras,
  });
}

/** Sampler and schedule type stand apart, as A1111 has it since 1.9. */
export function formatInfotext({ parameters: p, scheduler, ...extras }: InfotextFacts): string {
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
    ['Model hash', extras.modelHash],
    ['Model', extras.modelName],
    ['RNG', 'CPU'],
  );
  if (extras.branch)
    values.push(['Branch step', extras.branch.fromStep], ['Branch seed', extras.branch.seed]);
  if (extras.stoppedAt !== undefined) values.push(['Stopped at', extras.stoppedAt]);
  values.push(['Version', extras.version]);
  const lines = [p.prompt];
  if (p.negativePrompt !== '') lines.push(`Negative prompt: ${p.negativePrompt}`);
  lines.push(values.map(([key, value]) => `${key}: ${quote(String(value))}`).join(', '));
  return lines.join('\n');
}

const quote = (value: string): string => (/[,:\n]/.test(value) ? JSON.stringify(value) : value);

/** What an infotext says; a value that it lacks or that makes no sense is absent. */
export interface ReadInfotext {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly seed?: number;
  readonly steps?: number;
  readonly guidanceScale?: number;
  readonly width?: number;
  readonly height?: number;
  /** as a user knows it, such as 'DPM++ 2M Karras'; may be one that is not known here */
  readonly scheduler?: string;
  /** every key and value of the last line */
  readonly values: ReadonlyMap<string, string>;
}

const NEGATIVE = 'Negative prompt: ';

/** Reads what A1111, its relatives and this program write. Never throws. */
export function parseInfotext(text: string): ReadInfotext {
  const lines = text.split('\n');
  const last = keyValues(lines.at(-1) ?? '');
  // A text without the last line is a prompt alone.
  const values = last.has('Steps') || last.size >= 3 ? last : new Map<string, string>();
  if (values.size > 0) lines.pop();
  const negativeAt = lines.findLastIndex((line) => line.startsWith(NEGATIVE));
  const prompt = (negativeAt < 0 ? lines : lines.slice(0, negativeAt)).join('\n');
  const negativePrompt =
    negativeAt < 0 ? '' : lines.slice(negativeAt).join('\n').slice(NEGATIVE.length);
  const size = /^(\d+)x(\d+)$/.exec(values.get('Size') ?? '');
  const scheduler = schedulerIn(values);
  return {
    prompt,
    negativePrompt,
    ...numeric('seed', values.get('Seed')),
    ...numeric('steps', values.get('Steps')),
    ...numeric('guidanceScale', values.get('CFG scale')),
    ...numeric('width', size?.[1]),
    ...numeric('height', size?.[2]),
    ...(scheduler === undefined ? {} : { scheduler }),
    values,
  };
}

function numeric<K extends string>(key: K, text: string | undefined): { [key in K]?: number } {
  const value = Number(text);
  if (text === undefined || text.trim() === '' || !Number.isFinite(value)) return {};
  return { [key]: value } as { [key in K]?: number };
}

/** Sampler and schedule type as one name; the spelling used here where it is known. */
function schedulerIn(values: ReadonlyMap<string, string>): string | undefined {
  const parts = [values.get('Sampler'), values.get('Schedule type')];
  const name = parts.filter((part) => part && part !== 'Automatic').join(' ');
  if (name === '') return undefined;
  const lower = name.toLowerCase();
  return (
    SCHEDULER_NAMES.find((known): known is SchedulerName => known.toLowerCase() === lower) ?? name
  );
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
