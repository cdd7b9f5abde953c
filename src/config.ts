// The environment, parsed once: every variable with its default and range, and one error that
// lists all that is wrong. `.env.example` explains the same variables; a test keeps the two alike.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, populate } from 'dotenv';
import * as v from 'valibot';
import { UserError } from './errors.js';

export const PROVIDERS = ['tensorrt', 'cuda', 'webgpu', 'coreml', 'dml', 'cpu'] as const;
export type Provider = (typeof PROVIDERS)[number];
/** TensorRT is left out: it compiles a model for minutes, which nobody should wait for unasked. */
const USUAL_PROVIDERS: readonly Provider[] = PROVIDERS.filter((name) => name !== 'tensorrt');

/** What becomes of a picture that the model's own safety checker flags. */
export const SAFETY = ['blur', 'refuse', 'off'] as const;
export type Safety = (typeof SAFETY)[number];

/** As A1111 names them: of torch on the CPU, or of an NVIDIA GPU. */
export const NOISE = ['cpu', 'nv'] as const;
export type Noise = (typeof NOISE)[number];

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Tried first when YLEM_SANDBOX_PORT is not set; any free port where this one is taken. */
export const USUAL_SANDBOX_PORT = 4777;

/** The settings of one process. Frozen. */
export interface Config {
  readonly discord: {
    /** undefined: no token, so the sandbox stands in for Discord */
    readonly token: string | undefined;
    /** what discord.js calls `rest.api`: without a trailing slash and without /v10 */
    readonly apiBase: string;
    /** commands are registered in this guild (at once) instead of everywhere */
    readonly guildId: string | undefined;
  };
  /** absolute path; everything the bot writes lies below it */
  readonly dataDirectory: string;
  /** absolute path of a diffusers ONNX directory: the model for those who name none */
  readonly modelDirectory: string;
  /** absolute path; each directory in it is a model that may be offered, and `pull` writes here */
  readonly modelsDirectory: string;
  /** bytes that the loaded models of all engines may take; undefined: a share of the machine's */
  readonly modelMemory: number | undefined;
  readonly safety: Safety;
  /** in the order in which they are tried */
  readonly providers: readonly Provider[];
  /** CPU threads of one engine; undefined: the engine finds the fastest number */
  readonly threads: number | undefined;
  /** engine processes, 1 to 8 */
  readonly engines: number;
  readonly sandbox: {
    readonly enabled: boolean;
    /** the port to try first; 0 asks for any free one */
    readonly port: number;
    /** true: the port was not asked for, so a free one does where it is taken */
    readonly portMayDiffer: boolean;
  };
  /** lower-case hosts, with a port where it is not the usual one */
  readonly attachmentHosts: readonly string[];
  readonly keep: { readonly days: number; readonly gigabytes: number };
  readonly queue: { readonly perUser: number; readonly total: number };
  /** what one picture may ask for at most: denoising steps, and px of width or height */
  readonly most: { readonly steps: number; readonly side: number };
  /** prompts are read as A1111 does, with weights and chunks beyond the text encoder's length */
  readonly promptWeighting: boolean;
  /** where the random numbers come from when nobody says */
  readonly noise: Noise;
  readonly logLevel: LogLevel;
  /** sentences to log at the start: what was set and has no effect */
  readonly warnings: readonly string[];
}

const SNOWFLAKE = /^\d{17,20}$/;
const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/;

/** A decimal number as people write it: no exponent, no unit, no hexadecimal. */
function number(kind: 'whole' | 'decimal', minimum: number, maximum: number) {
  const pattern = kind === 'whole' ? /^\d+$/ : /^\d+(?:\.\d+)?$/;
  const wanted = `a ${kind === 'whole' ? 'whole ' : ''}number from ${minimum} to ${maximum}`;
  return v.pipe(
    v.string(),
    v.check((text) => pattern.test(text) && inRange(Number(text), minimum, maximum), wanted),
    v.transform(Number),
  );
}

function inRange(value: number, minimum: number, maximum: number): boolean {
  return value >= minimum && value <= maximum;
}

function oneOf<const T extends readonly string[]>(values: T) {
  return v.picklist(values, `one of ${values.join(', ')}`);
}

/** Items between commas; blanks around them and empty ones do not count. */
function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '');
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** A number with a unit; without one it is gigabytes, or bytes from a million on. Gives bytes. */
function memory(minimum: number, maximum: number) {
  const bytes = (text: string): number => {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
    const count = Number(match?.[1] ?? Number.NaN);
    const unit = match?.[2]?.toLowerCase() || (count < 1e6 ? 'gb' : 'b');
    return Math.round(count * (UNITS[unit] ?? Number.NaN));
  };
  return v.pipe(
    v.string(),
    v.check(
      (text) => inRange(bytes(text), minimum, maximum),
      'a size such as 8GB or 6000MB, from 10MB to 100TB; a bare number is gigabytes',
    ),
    v.transform(bytes),
  );
}

const flag = v.pipe(
  v.picklist(['0', '1'], '0 or 1'),
  v.transform((text) => text === '1'),
);

const httpBase = v.pipe(
  v.string(),
  v.check((text) => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    if (!/^https?:$/.test(url.protocol)) return false;
    return url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  }, 'an http or https address such as https://discord.com/api'),
  v.transform((text) =>
    text
      .replace(/\/+$/, '')
      .replace(/\/v\d+$/, '')
      .replace(/\/+$/, ''),
  ),
);

const providers = v.pipe(
  v.string(),
  v.transform(list),
  v.guard(
    (names: string[]): names is Provider[] =>
      names.length > 0 &&
      new Set(names).size === names.length &&
      names.every((name) => (PROVIDERS as readonly string[]).includes(name)),
    () => `a list with commas of ${PROVIDERS.join(', ')}, each at most once`,
  ),
);

const hosts = v.pipe(
  v.string(),
  v.transform(list),
  v.check(
    (names) => names.length > 0 && names.every((name) => HOST.test(name)),
    'host names with commas between, each with :PORT where it is not the usual one',
  ),
);

/**
 * Each variable as it stands in the environment, also where it is the default. The message of a
 * schema says what is allowed.
 */
const SCHEMA = v.object({
  // Other hosts have tokens of other shapes: only what no header can hold is refused, 'Bot ...', and
  // the quotes that some tools (`docker --env-file`) take for a part of the value.
  DISCORD_TOKEN: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^(?!["'`])[\x21-\x7e]+(?<!["'`])$/,
        'a bot token alone, without blanks, without quotes around it and without "Bot" before it',
      ),
    ),
  ),
  DISCORD_API_BASE: v.optional(httpBase, 'https://discord.com/api'),
  DISCORD_GUILD_ID: v.optional(
    v.pipe(v.string(), v.regex(SNOWFLAKE, "a server's id: 17 to 20 digits")),
  ),
  REDIS_URL: v.optional(v.string()),
  YLEM_DATA_DIR: v.optional(v.string(), './data'),
  YLEM_MODEL: v.optional(v.string()),
  YLEM_MODELS_DIR: v.optional(v.string()),
  YLEM_MODEL_MEMORY: v.optional(memory(10e6, 100e12)),
  YLEM_SAFETY: v.optional(oneOf(SAFETY), 'blur'),
  YLEM_PROVIDERS: v.optional(providers, USUAL_PROVIDERS.join(',')),
  YLEM_THREADS: v.optional(number('whole', 1, 256)),
  YLEM_ENGINES: v.optional(number('whole', 1, 8), '1'),
  YLEM_SANDBOX: v.optional(flag),
  YLEM_SANDBOX_PORT: v.optional(number('whole', 0, 65_535)),
  YLEM_ATTACHMENT_HOSTS: v.optional(hosts, 'cdn.discordapp.com,media.discordapp.net'),
  YLEM_KEEP_DAYS: v.optional(number('whole', 1, 36_500), '30'),
  YLEM_KEEP_GB: v.optional(number('decimal', 0.1, 100_000), '5'),
  YLEM_QUEUE_PER_USER: v.optional(number('whole', 1, 1000), '10'),
  YLEM_QUEUE_TOTAL: v.optional(number('whole', 1, 10_000), '100'),
  // The ranges are the pipeline's LIMITS.
  YLEM_MAX_STEPS: v.optional(number('whole', 1, 150), '150'),
  YLEM_MAX_SIDE: v.optional(number('whole', 64, 2048), '2048'),
  YLEM_PROMPT_WEIGHTING: v.optional(flag, '0'),
  YLEM_NOISE: v.optional(oneOf(NOISE), 'cpu'),
  YLEM_LOG_LEVEL: v.optional(oneOf(LOG_LEVELS), 'info'),
});

/** Every variable the bot reads. */
export const VARIABLES: readonly string[] = Object.keys(SCHEMA.entries);

/** Set for tests and benchmarks; no settings of the bot. */
const OTHER_VARIABLES = /^YLEM_(?:BENCH_|TEST_|OPENAPI$|CHROMIUM$)/;

/**
 * The settings in an environment. An empty variable counts as one that is not set.
 *
 * @param env by default the process's own, with what `.env` in the working directory adds to it
 * @throws UserError 'config-invalid' that names every wrong variable, and what is allowed
 */
export function loadConfig(env: NodeJS.ProcessEnv = environment()): Config {
  const given = Object.fromEntries(
    Object.entries(env)
      .map(([name, value]) => [name, value?.trim()] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = v.safeParse(SCHEMA, given);
  const faults = parsed.success
    ? []
    : parsed.issues.map((issue) => {
        const name = String(issue.path?.[0].key);
        return `${name} must be ${issue.message}${shown(name, given[name])}`;
      });
  if (given.YLEM_SANDBOX === '0' && given.DISCORD_TOKEN === undefined) {
    faults.push('DISCORD_TOKEN must be set where YLEM_SANDBOX is 0');
  }
  if (parsed.success && parsed.output.YLEM_QUEUE_PER_USER > parsed.output.YLEM_QUEUE_TOTAL) {
    const { YLEM_QUEUE_PER_USER: perUser, YLEM_QUEUE_TOTAL: total } = parsed.output;
    faults.push(
      `YLEM_QUEUE_PER_USER must be at most YLEM_QUEUE_TOTAL, got ${perUser} and ${total}`,
    );
  }
  if (!parsed.success || faults.length > 0) {
    throw new UserError('config-invalid', `The settings are wrong: ${faults.join('; ')}.`, {
      variables: faults.length,
    });
  }
  const values = parsed.output;
  const modelsDirectory =
    values.YLEM_MODELS_DIR === undefined
      ? fileURLToPath(new URL('../models', import.meta.url))
      : path(values.YLEM_MODELS_DIR);
  return deepFreeze({
    discord: {
      token: values.DISCORD_TOKEN,
      apiBase: values.DISCORD_API_BASE,
      guildId: values.DISCORD_GUILD_ID,
    },
    dataDirectory: path(values.YLEM_DATA_DIR),
    modelDirectory:
      values.YLEM_MODEL === undefined
        ? embeddedModel()
        : modelNamed(values.YLEM_MODEL, modelsDirectory),
    modelsDirectory,
    modelMemory: values.YLEM_MODEL_MEMORY,
    safety: values.YLEM_SAFETY,
    providers: values.YLEM_PROVIDERS,
    threads: values.YLEM_THREADS,
    engines: values.YLEM_ENGINES,
    sandbox: {
      enabled: values.YLEM_SANDBOX ?? values.DISCORD_TOKEN === undefined,
      port: values.YLEM_SANDBOX_PORT ?? USUAL_SANDBOX_PORT,
      portMayDiffer: values.YLEM_SANDBOX_PORT === undefined,
    },
    attachmentHosts: values.YLEM_ATTACHMENT_HOSTS,
    keep: { days: values.YLEM_KEEP_DAYS, gigabytes: values.YLEM_KEEP_GB },
    queue: { perUser: values.YLEM_QUEUE_PER_USER, total: values.YLEM_QUEUE_TOTAL },
    most: { steps: values.YLEM_MAX_STEPS, side: values.YLEM_MAX_SIDE },
    promptWeighting: values.YLEM_PROMPT_WEIGHTING,
    noise: values.YLEM_NOISE,
    logLevel: values.YLEM_LOG_LEVEL,
    warnings: warningsOf(given),
  });
}

/** A directory; where there is none of that path, a model by its name in `ylem models list`. */
function modelNamed(text: string, modelsDirectory: string): string {
  const directory = path(text);
  const name = text.replace('/', '--');
  if (existsSync(directory) || /^\.|[\\/]/.test(name)) return directory;
  if (name === basename(embeddedModel())) return embeddedModel();
  const named = join(modelsDirectory, name);
  return existsSync(named) ? named : directory;
}

/** The directory of the embedded model, which comes with the package. */
export function embeddedModel(): string {
  return fileURLToPath(new URL('../models/hydrogen', import.meta.url));
}

/**
 * The process's variables with those of `.env` in the working directory, also for those that are
 * there and empty.
 * @throws UserError 'config-invalid' for a file that is there and cannot be read: its settings must
 *   not be passed over in silence
 */
function environment(): NodeJS.ProcessEnv {
  let file: Buffer;
  try {
    file = readFileSync('.env');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return process.env;
    throw new UserError('config-invalid', `The file .env cannot be read (${code}).`);
  }
  // Windows' PowerShell writes UTF-16, of which nothing would be understood.
  if (file.includes(0)) {
    throw new UserError('config-invalid', 'The file .env is not in UTF-8; save it as UTF-8.');
  }
  const set = parse(file);
  for (const name of Object.keys(set)) {
    if (process.env[name]?.trim() === '') delete process.env[name];
  }
  populate(process.env as Record<string, string>, set);
  return process.env;
}

function warningsOf(given: Readonly<Record<string, string | undefined>>): string[] {
  const warnings: string[] = [];
  if (given.REDIS_URL !== undefined) {
    warnings.push(
      'REDIS_URL is set, but this version runs its queue in the bot process and does not use Redis.',
    );
  }
  if (given.YLEM_MODELS_DIR !== undefined) {
    const models = path(given.YLEM_MODELS_DIR);
    const entry = statSync(models, { throwIfNoEntry: false });
    if (entry?.isDirectory() !== true) {
      const fault = entry === undefined ? 'which does not exist' : 'which is no directory';
      warnings.push(`YLEM_MODELS_DIR names ${models}, ${fault}: no models are offered from there.`);
    }
  }
  for (const name of Object.keys(given).sort()) {
    if (!/^(?:YLEM|DISCORD)_/.test(name)) continue;
    if (VARIABLES.includes(name) || OTHER_VARIABLES.test(name)) continue;
    warnings.push(`${name} is not a setting of this version; it has no effect (see .env.example).`);
  }
  return warnings;
}

/** The value as the error shows it. A token is never shown. */
function shown(name: string, value: string | undefined): string {
  return name === 'DISCORD_TOKEN' || value === undefined ? '' : `, got "${value.slice(0, 80)}"`;
}

function path(text: string): string {
  return resolve(text.replace(/^~(?=$|[\\/])/, homedir()));
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
