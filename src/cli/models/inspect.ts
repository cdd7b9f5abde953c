// What is to be said of one model: what it is, what of it is there and whole, whether it would run
// here and in how much memory.

import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Config } from '../../config.js';
import { UserError } from '../../errors.js';
import { describeModel, type ModelDescription } from '../../pipeline/describe.js';
import { type OnnxHeader, readOnnxHeader } from '../../pipeline/onnx-header.js';
import { NotProtobuf } from '../../pipeline/protobuf.js';
import { tryProviderHere } from '../doctor/providers.js';
import type { ModelTrial } from '../doctor/trials.js';
import { runTrial, TrialFailed } from '../doctor/try.js';
import { type Place, readSource, type Source } from './directory.js';
import { hashOf } from './download.js';
import { estimateMemory, type MemoryEstimate, machineMemory } from './memory.js';
import { directoryName } from './names.js';

export interface CheckedPart {
  readonly name: string;
  readonly required: boolean;
  readonly bytes: number;
  /** 'fp32', 'fp16', ... of what goes in and comes out; absent where it cannot be read */
  readonly precision?: string;
  /** types of its weights, the most frequent first, such as 'float16' */
  readonly stored?: string;
  readonly opset?: number;
  readonly producer?: string;
  /** why it cannot be used: one sentence */
  readonly fault?: string;
}

export interface CheckedProvider {
  readonly name: string;
  readonly works: boolean;
  readonly reason?: string;
}

export interface ModelCheck {
  readonly name: string;
  readonly directory: string;
  /** of a pulled model */
  readonly source?: Pick<Source, 'repository' | 'revision' | 'commit' | 'hub'>;
  readonly facts: ModelDescription['facts'];
  readonly parts: readonly CheckedPart[];
  /** everything that stands against painting with it, the gravest first */
  readonly problems: readonly string[];
  /** what is left out, unknown or unusual */
  readonly warnings: readonly string[];
  /** in the order in which they are tried, up to the first that works */
  readonly providers: readonly CheckedProvider[];
  readonly memory?: MemoryEstimate & { readonly available: number; readonly machine: number };
  /** what a real picture took; only where it was asked for */
  readonly measured?: ModelTrial;
  readonly runs: boolean;
}

/** ms for a model to be loaded and to make one step */
const MODEL_PATIENCE = 1_800_000;
/** onnxruntime 1.30 knows the standard operators up to this version */
const NEWEST_OPSET = 26;

export interface InspectOptions {
  /** also compare the hash of each file of a pulled model */
  readonly hashes: boolean;
  /** also load it and make one step */
  readonly run: boolean;
  /** those that are known to work; absent: they are tried */
  readonly providers?: readonly string[];
}

export async function inspectModel(
  place: Place,
  config: Config,
  { hashes, run, providers: known }: InspectOptions,
  say: (text: string) => void = () => {},
): Promise<ModelCheck> {
  const { name, directory } = place;
  const description = await describeModel(directory);
  const { facts } = description;
  const source = await readSource(directory);
  const problems = description.problems.map(({ message }) => message);
  const warnings = [...description.warnings];
  const headers = await readHeaders(description);
  const parts = description.parts.map((part) => checkedPart(part, headers, description.problems));
  for (const { name: part, opset } of parts) {
    if (opset !== undefined && opset > NEWEST_OPSET) {
      problems.push(
        `The model's ${part} uses version ${opset} of the ONNX operators; this onnxruntime knows them up to ${NEWEST_OPSET}.`,
      );
    }
  }
  if (source !== undefined) problems.push(...(await changedFiles(directory, source, hashes, say)));
  const providers: readonly CheckedProvider[] =
    problems.length > 0
      ? []
      : (known?.map((provider) => ({ name: provider, works: true })) ??
        (await tryProviders(config.providers, say)));
  const taken = providers.find(({ works }) => works);
  if (problems.length === 0 && taken === undefined) {
    problems.push(
      `None of the providers that YLEM_PROVIDERS names works here: ${providers.map((p) => `${p.name}: ${p.reason}`).join('; ')}.`,
    );
  }
  const { total: machine, free: available } = machineMemory();
  const estimate =
    facts === undefined || headers.size === 0
      ? undefined
      : await estimateMemory(description, headers, taken?.name ?? 'cpu');
  const onCpu = (taken?.name ?? 'cpu') === 'cpu';
  if (estimate !== undefined && onCpu) {
    if (estimate.total > machine)
      problems.push('The model needs more memory than this machine has.');
    else if (estimate.total > available)
      warnings.push('The model needs more memory than is free on this machine now.');
  }
  let measured: ModelTrial | undefined;
  if (run && problems.length === 0) {
    say('painting one step');
    try {
      measured = await runTrial<ModelTrial>(
        {
          kind: 'model',
          directory,
          providers: config.providers,
          ...(config.threads !== undefined && { threads: config.threads }),
        },
        MODEL_PATIENCE,
      );
    } catch (error) {
      if (error instanceof UserError) problems.push(error.message);
      else if (error instanceof TrialFailed) problems.push(`It does not paint: ${error.message}.`);
      else throw error;
    }
  }
  return {
    name,
    directory,
    facts,
    parts,
    problems,
    warnings,
    providers,
    runs: problems.length === 0,
    ...(source && {
      source: {
        repository: source.repository,
        revision: source.revision,
        commit: source.commit,
        hub: source.hub,
      },
    }),
    ...(estimate && { memory: { ...estimate, available, machine } }),
    ...(measured && { measured }),
  };
}

async function readHeaders({ directory, parts }: ModelDescription) {
  const headers = new Map<string, OnnxHeader>();
  for (const { name } of parts) {
    try {
      headers.set(name, await readOnnxHeader(join(directory, name, 'model.onnx')));
    } catch (error) {
      // What cannot be read stands among the description's problems.
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!missing && !(error instanceof NotProtobuf)) throw error;
    }
  }
  return headers;
}

function checkedPart(
  { name, required, bytes, precision }: ModelDescription['parts'][number],
  headers: ReadonlyMap<string, OnnxHeader>,
  problems: readonly UserError[],
): CheckedPart {
  const header = headers.get(name);
  const fault = problems.find(({ context }) => String(context.file).startsWith(`${name}/`));
  const types = [...(header?.weights ?? [])].sort((a, b) => b[1] - a[1]);
  const opset = header?.opsets.get('ai.onnx');
  return {
    name,
    required,
    bytes,
    ...(precision !== undefined && { precision }),
    ...(types[0] !== undefined && { stored: types[0][0] }),
    ...(opset !== undefined && { opset }),
    ...(header?.producer && { producer: header.producer }),
    ...(fault !== undefined && { fault: fault.message }),
  };
}

/** Files of a pulled model that are no longer what the hub has, one sentence each. */
async function changedFiles(
  directory: string,
  source: Source,
  hashes: boolean,
  say: (text: string) => void,
): Promise<string[]> {
  const found: string[] = [];
  const again = `${pullAgain(directory, source)} mends it`;
  for (const [path, { size, hash }] of Object.entries(source.files)) {
    const file = join(directory, path);
    const entry = await stat(file).catch(() => undefined);
    if (entry === undefined) {
      found.push(`${path} is gone since the model was pulled; ${again}.`);
    } else if (entry.size !== size) {
      found.push(`${path} has ${entry.size} bytes instead of the hub's ${size}; ${again}.`);
    } else if (hashes) {
      say(`reading ${path}`);
      if ((await hashOf(file, { path, size, hash })) !== hash.hex)
        found.push(`${path} is not the hub's file: its hash is another one; ${again}.`);
    }
  }
  return found;
}

/** The command that fetches again what a model has lost, as it was first asked for. */
function pullAgain(directory: string, source: Source): string {
  const { repository, revision, folder, files } = source;
  const name = basename(directory);
  const hasChecker = Object.keys(files).some((path) => path.startsWith('safety_checker/'));
  return [
    `ylem models pull ${repository}${revision === 'main' ? '' : `@${revision}`}`,
    ...(name === directoryName(source) ? [] : [`--name ${name}`]),
    ...(folder === '' ? [] : [`--folder ${folder}`]),
    ...(hasChecker ? ['--safety-checker'] : []),
  ].join(' ');
}

/** As the engine does: the first that works is taken. */
async function tryProviders(
  names: readonly string[],
  say: (text: string) => void,
): Promise<CheckedProvider[]> {
  const tried: CheckedProvider[] = [];
  for (const name of names) {
    say(`trying ${name}`);
    const { works, reason } = await tryProviderHere(name);
    tried.push({ name, works, ...(reason !== undefined && { reason }) });
    if (works) break;
  }
  return tried;
}
