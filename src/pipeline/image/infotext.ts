// A1111's infotext: the parameters as people copy and paste them.

import { parseSchedulerName, splitScheduleName } from '../schedulers/names.js';
import type { GenerationParameters, ModelInfo, NoiseSource } from '../types.js';

/** What an infotext says beside the parameters. */
export interface InfotextExtras {
  readonly branch?: { readonly fromStep: number; readonly seed: number };
  /** steps done, for a run that was stopped */
  readonly stoppedAt?: number;
  /** whether a mask said what of the init image is painted anew */
  readonly masked?: boolean;
  /** whether the model's safety checker found something, and the picture was blurred */
  readonly flagged?: boolean;
}

/** What an infotext says of the model. */
export type InfotextModel = Pick<ModelInfo, 'name' | 'defaultScheduler'> & {
  /** 10 hex digits, as `Model.hash` gives them */
  readonly hash: string;
};

/**
 * The infotext of a picture that this model paints. Sampler and schedule type stand apart, as A1111
 * has it since 1.9; its clip skip counts from 1, diffusers' from 0.
 */
export function infotextOf(
  p: GenerationParameters,
  info: InfotextModel,
  { branch, stoppedAt, masked, flagged }: InfotextExtras = {},
): string {
  const { method: sampler, schedule } = splitScheduleName(p.scheduler ?? info.defaultScheduler);
  const values: [string, string | number][] = [
    ['Steps', p.steps],
    ['Sampler', sampler],
  ];
  if (schedule !== undefined) values.push(['Schedule type', schedule]);
  values.push(
    ['CFG scale', p.guidanceScale],
    ['Seed', p.seed],
    ['Size', `${p.width}x${p.height}`],
    ['Model hash', info.hash],
    ['Model', info.name],
  );
  if (p.strength !== undefined) values.push(['Denoising strength', p.strength]);
  if (masked) values.push(['Mask blur', 0], ['Inpaint area', 'Whole picture']);
  if (p.clipSkip !== undefined && p.clipSkip > 0) values.push(['Clip skip', p.clipSkip + 1]);
  if (p.weighting) values.push(['Emphasis', 'Original']);
  else if (/[([]/.test(p.prompt + p.negativePrompt)) values.push(['Emphasis', 'None']);
  values.push(['RNG', p.noise === 'nv' ? 'NV' : 'CPU']);
  if (branch) values.push(['Branch step', branch.fromStep], ['Branch seed', branch.seed]);
  if (stoppedAt !== undefined) values.push(['Stopped at', stoppedAt]);
  if (flagged) values.push(['Safety checker', 'flagged']);
  values.push(['Version', PROGRAM]);
  const lines = [p.prompt];
  // An empty one is said too where a line of the prompt would pass for it.
  if (p.negativePrompt !== '' || p.prompt.split('\n').some((line) => line.startsWith(NEGATIVE))) {
    lines.push(NEGATIVE + p.negativePrompt);
  }
  lines.push(values.map(([key, value]) => `${key}: ${quote(String(value))}`).join(', '));
  return lines.join('\n');
}

const NEGATIVE = 'Negative prompt: ';
const PROGRAM = 'Ylem';

/** In quotes where the value would not be read back as it is: a reader trims and unquotes. */
const quote = (value: string): string =>
  /[,:\n]|^["\s]|\s$/.test(value) ? JSON.stringify(value) : value;

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
  /** above 0 and at most 1; the image itself is not in the text */
  readonly strength?: number;
  /** as diffusers counts: 0 is none */
  readonly clipSkip?: number;
  readonly noise?: NoiseSource;
  readonly weighting?: boolean;
  /** every key and value of the last line */
  readonly values: ReadonlyMap<string, string>;
}

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
    ...strengthIn(values),
    ...clipSkipIn(values),
    ...noiseIn(values),
    ...weightingIn(values, prompt + negativePrompt),
    values,
  };
}

function numeric<K extends string>(key: K, text: string | undefined): { [key in K]?: number } {
  const value = Number(text);
  if (text === undefined || text.trim() === '' || !Number.isFinite(value)) return {};
  return { [key]: value } as { [key in K]?: number };
}

function strengthIn(values: ReadonlyMap<string, string>): { strength?: number } {
  const { strength } = numeric('strength', values.get('Denoising strength'));
  return strength !== undefined && strength > 0 && strength <= 1 ? { strength } : {};
}

function clipSkipIn(values: ReadonlyMap<string, string>): { clipSkip?: number } {
  const { skip } = numeric('skip', values.get('Clip skip'));
  return skip !== undefined && Number.isInteger(skip) && skip > 1 ? { clipSkip: skip - 1 } : {};
}

/** A1111 and Forge, by how they number their versions. */
const isA1111 = (values: ReadonlyMap<string, string>): boolean =>
  /^[vf]\d/.test(values.get('Version') ?? '');

/** A1111 writes the source only where it is not the graphics card's, which NV reproduces. */
function noiseIn(values: ReadonlyMap<string, string>): { noise?: NoiseSource } {
  const name = values.get('RNG') ?? (isA1111(values) ? 'NV' : undefined);
  if (name === 'NV') return { noise: 'nv' };
  return name === 'CPU' ? { noise: 'cpu' } : {};
}

/** A1111 names the kind of emphasis only where it is not the usual one; this program where it is on. */
function weightingIn(
  values: ReadonlyMap<string, string>,
  prompts: string,
): { weighting?: boolean } {
  const kind = values.get('Emphasis');
  if (kind !== undefined) return { weighting: kind !== 'None' };
  if (values.get('Version') === PROGRAM) return { weighting: false };
  return isA1111(values) ? { weighting: /[()[\]\\]|BREAK/.test(prompts) } : {};
}

/** Sampler and schedule type as one name; the spelling used here where it is known. */
function schedulerIn(values: ReadonlyMap<string, string>): string | undefined {
  const [sampler, schedule] = [values.get('Sampler'), values.get('Schedule type')];
  if (!sampler) return undefined;
  const name = [sampler, schedule].filter((part) => part && part !== 'Automatic').join(' ');
  return parseSchedulerName(sampler, schedule) ?? name;
}

/** `key: value` after a comma or at the start. Each part begins where the last cannot: no backtracking. */
const KEY_VALUE = /(?<=^|,)\s*([\w/-][\w /-]*):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)/g;

function keyValues(line: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const match of line.matchAll(KEY_VALUE)) {
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
