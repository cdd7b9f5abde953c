// The arguments of `ylem imagine`, checked: whatever is wrong with them is one UserError, in one line.

import { parseArgs } from 'node:util';
import { UserError } from '../errors.js';
import { LIMITS } from '../pipeline/parameters.js';
import { listedNames, parseSchedulerName } from '../pipeline/schedulers/names.js';
import type { NoiseSource, SchedulerName } from '../pipeline/types.js';

const OPTIONS = {
  out: { type: 'string' },
  model: { type: 'string' },
  negative: { type: 'string' },
  seed: { type: 'string' },
  steps: { type: 'string' },
  guidance: { type: 'string' },
  width: { type: 'string' },
  height: { type: 'string' },
  scheduler: { type: 'string' },
  evolution: { type: 'string' },
  init: { type: 'string' },
  strength: { type: 'string' },
  mask: { type: 'string' },
  noise: { type: 'string' },
  weighting: { type: 'boolean' },
  'clip-skip': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What was asked for; absent values are the model's to choose. */
export interface ImagineArguments {
  readonly prompt: string;
  readonly out: string;
  readonly model: string | undefined;
  readonly negative: string;
  readonly seed: number | undefined;
  readonly steps: number | undefined;
  readonly guidance: number | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly scheduler: SchedulerName | undefined;
  readonly evolution: string | undefined;
  /** the files to begin from */
  readonly init: { readonly image: string; readonly mask: string | undefined } | undefined;
  /** only with `init`, and always there with it */
  readonly strength: number | undefined;
  readonly noise: NoiseSource | undefined;
  readonly weighting: boolean;
  readonly clipSkip: number | undefined;
  readonly json: boolean;
}

/** How much is painted anew where nobody says: as diffusers' pipelines for images and for masks. */
const USUAL_STRENGTH = { image: 0.8, mask: 1 } as const;

/** px; which of them the model takes is for it to say */
const SIDE: Range = { min: 1, max: 8192 };

interface Range {
  readonly min: number;
  readonly max: number;
}

export function badArgument(message: string): UserError {
  return new UserError('bad-argument', message);
}

/**
 * @param args what follows `imagine` on the command line
 * @returns 'help' when that was asked for
 * @throws UserError 'bad-argument'
 */
export function parseImagine(args: readonly string[]): ImagineArguments | 'help' {
  const { values, positionals } = parse(args);
  if (values.help === true) return 'help';
  const [prompt, ...more] = positionals;
  if (prompt === undefined) {
    throw badArgument('Give the prompt in quotes; "" stands for no prompt.');
  }
  if (more.length > 0) {
    throw badArgument(`Put the prompt in quotes: after "${prompt}" comes "${more[0]}".`);
  }
  const { out, evolution } = values;
  if (out === undefined) throw badArgument('Name the picture to write: --out FILE.png.');
  if (!/\.png$/i.test(out)) throw badArgument(`Expected --out to end in .png, got "${out}".`);
  if (evolution !== undefined && !/\.(png|webp|gif)$/i.test(evolution)) {
    throw badArgument(
      `Expected --evolution to end in .png (sheet), .webp or .gif (animation), got "${evolution}".`,
    );
  }
  const { init: image, mask } = values;
  const strength = strengthOf(values.strength);
  if (image === undefined && (mask !== undefined || strength !== undefined)) {
    const name = mask === undefined ? '--strength' : '--mask';
    throw badArgument(`${name} belongs to an image to begin from: name it with --init FILE.`);
  }
  const { noise } = values;
  if (noise !== undefined && noise !== 'cpu' && noise !== 'nv') {
    throw badArgument(`Expected --noise to be cpu or nv, got "${noise}".`);
  }
  return {
    prompt,
    out,
    evolution,
    init: image === undefined ? undefined : { image, mask },
    strength:
      image === undefined ? undefined : (strength ?? USUAL_STRENGTH[mask ? 'mask' : 'image']),
    noise,
    weighting: values.weighting ?? false,
    clipSkip: whole('clip-skip', values['clip-skip'], LIMITS.clipSkip),
    model: values.model,
    negative: values.negative ?? '',
    seed: whole('seed', values.seed, LIMITS.seed),
    steps: whole('steps', values.steps, LIMITS.steps),
    guidance: number('guidance', values.guidance, LIMITS.guidanceScale),
    width: whole('width', values.width, SIDE),
    height: whole('height', values.height, SIDE),
    scheduler: values.scheduler === undefined ? undefined : schedulerNamed(values.scheduler),
    json: values.json ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: joinNegativeNumbers(args),
      options: OPTIONS,
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw refusedOption(error, 'imagine', { '--size': 'use --width and --height' });
  }
}

/**
 * What parseArgs found wrong, as one sentence; anything else as it is.
 * @param command the subcommand, whose help says more
 * @param instead what to use in place of an option that is not there
 */
export function refusedOption(
  error: unknown,
  command: string,
  instead: Readonly<Record<string, string>> = {},
): unknown {
  if (!(error instanceof TypeError && 'code' in error)) return error;
  // parseArgs explains itself in up to three sentences; the first one says what is wrong.
  const [reason = ''] = error.message.split(/\.\s|\n/);
  const advice = instead[/^Unknown option '(.+)'/.exec(reason)?.[1] ?? ''];
  const what = advice === undefined ? reason.replace(/\.$/, '') : `${reason}; ${advice}`;
  return badArgument(`${what} (see ylem ${command} --help).`);
}

/** `--seed -5` means a number out of range, not an option named -5. */
function joinNegativeNumbers(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    const takesValue =
      before?.startsWith('--') === true &&
      Object.entries(OPTIONS).some(
        ([name, { type }]) => type === 'string' && before === `--${name}`,
      );
    if (takesValue && /^-[\d.]/.test(arg)) joined[joined.length - 1] = `${before}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}

function number(name: string, text: string | undefined, { min, max }: Range) {
  if (text === undefined) return undefined;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw badArgument(`Expected --${name} to be a number from ${min} to ${max}, got "${text}".`);
  }
  return value;
}

function strengthOf(text: string | undefined): number | undefined {
  const value = number('strength', text, { min: 0, max: 1 });
  if (value === 0) {
    throw badArgument(
      'Expected --strength to be above 0: with 0 nothing of the image is painted anew.',
    );
  }
  return value;
}

function whole(name: string, text: string | undefined, { min, max }: Range) {
  if (text === undefined) return undefined;
  const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw badArgument(
      `Expected --${name} to be a whole number from ${min} to ${max}, got "${text}".`,
    );
  }
  return value;
}

/**
 * A scheduler by the name users know, by its diffusers class or by its k-diffusion spelling
 * (`dpmpp_2m_karras`), whatever the case, spaces, dashes and underscores.
 * @throws UserError 'bad-argument' that lists the names
 */
export function schedulerNamed(text: string): SchedulerName {
  const found = parseSchedulerName(text);
  if (found === undefined) {
    throw badArgument(`There is no scheduler "${text}". Allowed are ${listedNames()}.`);
  }
  return found;
}
