// What a model directory is, without loading it: `describeModel(directory)` reads configurations and
// the heads of graphs, never weights, in some ms. It never throws: what is wrong with the directory
// stands in `problems`, each a UserError that names a file; a directory without problems is offered,
// and loads unless the machine refuses it. Nothing in here loads onnxruntime, so any process may ask.

import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { UserError } from '../errors.js';
import {
  defaultsOf,
  type FamilyLayout,
  familyOf,
  LAYOUTS,
  trainedSize,
} from './families/layout.js';
import { readJson } from './files.js';
import { type OnnxHeader, readOnnxHeader } from './onnx-header.js';
import { checkOwnSize, type OwnSettings, ownSettings, ownWarnings } from './own.js';
import { NotProtobuf } from './protobuf.js';
import { readSchedulerFile } from './scheduler-file.js';
import { schedulerDisplayName, schedulerWarnings } from './schedulers/index.js';
import { stampOf } from './stamp.js';
import type { ModelFacts } from './types.js';
import { type GraphFile, weightFile } from './weights.js';

/** One graph of a directory, with its weights. */
export interface ModelPart {
  /** the folder, such as 'unet' */
  readonly name: string;
  /** without it the model does not paint */
  readonly required: boolean;
  /** of the graph and the files that hold its weights; 0 when it is missing */
  readonly bytes: number;
  /** 'fp32', 'fp16' or another type, as its inputs are; undefined when it cannot be read */
  readonly precision: string | undefined;
}

export interface ModelDescription {
  /** the directory's name */
  readonly name: string;
  /** absolute */
  readonly directory: string;
  /** undefined where the directory is no model, or of no known family */
  readonly facts: ModelFacts | undefined;
  readonly parts: readonly ModelPart[];
  /** of all parts */
  readonly bytes: number;
  /** 10 hex digits that change when the files do; made of sizes and samples of the weights */
  readonly fingerprint: string;
  /** its text encoder gives the states of its layers, so that some may be left out */
  readonly skipsClip: boolean;
  /** it has a VAE encoder: a picture may begin from another */
  readonly takesImages: boolean;
  /** why it cannot be painted with, the gravest first; empty for a sound one */
  readonly problems: readonly UserError[];
  /** what is left out or unknown, one sentence each */
  readonly warnings: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;
const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const number = (value: unknown): number | undefined => {
  const size: unknown = Array.isArray(value) ? value[0] : value;
  return typeof size === 'number' && size > 0 ? size : undefined;
};

/** Used when they are there. */
const OPTIONAL = [
  'text_encoder',
  'text_encoder_2',
  'text_encoder_3',
  'vae_encoder',
  'safety_checker',
  'preview_decoder',
  'taesd_decoder',
  'vae_decoder_tiny',
];

/** bytes at the beginning, in the middle and at the end of the weights that go into the fingerprint */
const SAMPLE = 1 << 16;

/** Sound directories that have not changed: each picture asks for its model's. */
const KNOWN = new Map<string, { readonly stamp: string; readonly description: ModelDescription }>();
const MOST_KNOWN = 100;

/** @param directory a diffusers ONNX directory, relative to the working directory or absolute */
export async function describeModel(directory: string): Promise<ModelDescription> {
  const root = resolve(directory);
  const stamp = await stampOf(root);
  const known = KNOWN.get(root);
  if (known !== undefined && known.stamp === stamp) return known.description;
  KNOWN.delete(root);
  const description = await readAnew(directory);
  if (stamp !== undefined && description.problems.length === 0) {
    if (KNOWN.size >= MOST_KNOWN) KNOWN.clear();
    KNOWN.set(root, { stamp, description });
  }
  return description;
}

async function readAnew(directory: string): Promise<ModelDescription> {
  try {
    return await read(directory);
  } catch (error) {
    // Files may be taken away while they are looked at, or be closed to this user.
    if (!(error instanceof Error && 'code' in error && 'syscall' in error)) throw error;
    const root = resolve(directory);
    const reason = `${error.message.split(',')[0]}`;
    const sentence = `The model's files cannot be read (${reason}).`;
    return {
      ...blank(root),
      problems: [new UserError('model-unreadable', sentence, { reason })],
    };
  }
}

/** What is said of a directory of which nothing else is known. */
const blank = (root: string): ModelDescription => ({
  name: basename(root),
  directory: root,
  facts: undefined,
  parts: [],
  bytes: 0,
  fingerprint: '',
  skipsClip: false,
  takesImages: false,
  problems: [],
  warnings: [],
});

async function read(directory: string): Promise<ModelDescription> {
  const root = resolve(directory);
  const problems: UserError[] = [];
  const nothing = { ...blank(root), problems };
  const folder = await stat(root).catch(() => undefined);
  if (!folder?.isDirectory()) {
    problems.push(
      new UserError('model-missing', `There is no model directory ${directory}.`, { directory }),
    );
    return nothing;
  }
  /** undefined when it is missing or damaged, which is then a problem unless it is optional */
  const json = (path: string, optional = true) =>
    readJson(root, join(root, path), optional).catch(noted(problems));
  const index = await json('model_index.json', false);
  if (index === undefined) return nothing;
  const entries = await readdir(root, { withFileTypes: true });
  const folders = new Set(entries.filter((e) => !e.isFile()).map(({ name }) => name));
  const denoiser = folders.has('transformer') ? 'transformer' : 'unet';
  const denoiserConfig = object(await json(`${denoiser}/config.json`));
  const family = familyOf(object(index), denoiserConfig, folders);
  const layout = family === undefined ? undefined : LAYOUTS[family];
  if (family === undefined || layout === undefined) {
    problems.push(unknownFamily(object(index)));
    return nothing;
  }

  const scheduler = await readSchedulerFile(root, index).catch(noted(problems));
  const schedulerConfig = scheduler?.config;
  const inspected = await inspectParts(root, layout, folders);
  for (const { problem } of inspected) if (problem !== undefined) problems.push(problem);
  for (const name of ['text_encoder', 'text_encoder_2', 'text_encoder_3']) {
    // Without it the pictures would be others, unless the model goes without by its own word.
    const entry = object(index)[name];
    const listed = Array.isArray(entry) && entry[0] !== null;
    if (listed && !inspected.some(({ part }) => part.name === name))
      problems.push(missingFile(`${name}/model.onnx`));
  }
  const encoders = inspected.filter(({ part }) => part.name.startsWith('text_encoder'));
  const theirs = encoders.map(({ part }) => part.name.replace('text_encoder', 'tokenizer'));
  for (const name of new Set([...layout.tokenizers, ...theirs])) {
    const problem = await tokenizerProblem(root, name);
    if (problem !== undefined) problems.push(problem);
  }
  const header = inspected.find(({ part }) => part.name === layout.denoiser)?.header;
  const missing = layout.inputs.filter((name) => !header?.inputs.some((i) => i.name === name));
  if (header !== undefined && missing.length > 0) {
    problems.push(
      new UserError(
        'model-unknown-family',
        `The model's ${layout.denoiser}/model.onnx is none of the family ${family}: it takes no ${missing.join(', ')}.`,
        { family },
      ),
    );
  }
  const ownJson = object(await json('ylem.json'));
  const own = noting(problems, () => ownSettings(ownJson)) ?? {};
  const facts = factsFrom({
    root,
    family,
    layout,
    denoiserConfig,
    header,
    vaeConfig: {
      ...object(await json('vae/config.json')),
      ...object(await json('vae_decoder/config.json')),
    },
    schedulerConfig,
    own,
  });
  const parts = inspected.map(({ part }) => part);
  noting(problems, () => checkOwnSize(own, facts.sizeMultiple));
  return {
    name: nothing.name,
    directory: root,
    facts,
    parts,
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    fingerprint: await fingerprintOf(parts, inspected.find((i) => i.part.name === denoiser)?.files),
    skipsClip: inspected.some(
      ({ part, header: graph }) =>
        part.name === 'text_encoder' &&
        graph?.outputs.some(({ name }) => /^hidden_states\.\d+$/.test(name)),
    ),
    takesImages: inspected.some(
      ({ part, problem }) => part.name === 'vae_encoder' && problem === undefined,
    ),
    problems,
    warnings: [
      ...(scheduler?.warnings ?? []),
      ...schedulerWarnings(schedulerConfig),
      ...ownWarnings(ownJson),
      ...(folders.has('image_encoder')
        ? ['The image_encoder is not used: there are no image prompts.']
        : []),
    ],
  };
}

/** What `read` gives; undefined where it finds a fault, which is then one of the problems. */
function noting<T>(problems: UserError[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    return noted(problems)(error);
  }
}

/** Makes a fault one of the problems. */
const noted =
  (problems: UserError[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof UserError)) throw error;
    problems.push(error);
  };

function unknownFamily(index: Json): UserError {
  const name = String(index._class_name ?? 'unknown').slice(0, 80);
  const families = Object.keys(LAYOUTS).join(', ');
  return new UserError(
    'model-unknown-family',
    `The model's pipeline ${name} is of no known family; there are ${families}.`,
    { name, families },
  );
}

interface Inspected {
  readonly part: ModelPart;
  readonly header: OnnxHeader | undefined;
  /** absolute paths with their sizes, the one with the weights last */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly problem: UserError | undefined;
}

async function inspectParts(
  root: string,
  layout: FamilyLayout,
  folders: ReadonlySet<string>,
): Promise<Inspected[]> {
  const found: Inspected[] = [];
  for (const name of layout.graphs) found.push(await inspect(root, name, true));
  for (const name of OPTIONAL) {
    if (layout.graphs.includes(name) || !folders.has(name)) continue;
    if ((await sizeOf(join(root, name, 'model.onnx'))) === undefined) continue;
    found.push(await inspect(root, name, false));
  }
  return found;
}

async function inspect(root: string, name: string, required: boolean): Promise<Inspected> {
  const graph = `${name}/model.onnx`;
  const path = join(root, graph);
  const files: { path: string; bytes: number }[] = [];
  const result = (problem?: UserError, header?: OnnxHeader): Inspected => ({
    part: {
      name,
      required,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      precision: header === undefined ? undefined : precisionOf(header),
    },
    header,
    files,
    problem,
  });
  const bytes = await sizeOf(path);
  if (bytes === undefined) return result(missingFile(graph));
  files.push({ path, bytes });
  let header: OnnxHeader;
  try {
    header = await readOnnxHeader(path);
  } catch (error) {
    if (error instanceof NotProtobuf) {
      return result(
        new UserError('model-file-damaged', `The model's ${graph} ${error.message}.`, {
          file: graph,
        }),
      );
    }
    throw error;
  }
  for (const [location, wanted] of header.external) {
    let weights: GraphFile;
    try {
      weights = await weightFile(root, graph, location);
    } catch (error) {
      if (error instanceof UserError) return result(error, header);
      throw error;
    }
    const { path: data, size } = weights;
    files.push({ path: data, bytes: size });
    if (size >= wanted) continue;
    const file = `${name}/${location}`;
    const sentence = `The model's ${file}, which holds the weights of ${graph}, is cut off: it has ${size} bytes of ${wanted}.`;
    return result(new UserError('model-file-damaged', sentence, { file }), header);
  }
  return result(undefined, header);
}

function missingFile(file: string): UserError {
  return new UserError('model-file-missing', `The model lacks ${file}.`, { file });
}

async function tokenizerProblem(root: string, name: string): Promise<UserError | undefined> {
  const has = async (file: string) => (await sizeOf(join(root, name, file))) !== undefined;
  if ((await has('tokenizer.json')) || (await has('spiece.model'))) return undefined;
  if (!(await has('vocab.json'))) return missingFile(`${name}/tokenizer.json`);
  return (await has('merges.txt')) ? undefined : missingFile(`${name}/merges.txt`);
}

/** undefined when there is no such file */
async function sizeOf(path: string): Promise<number | undefined> {
  const entry = await stat(path).catch(() => undefined);
  return entry?.isFile() ? entry.size : undefined;
}

function precisionOf(header: OnnxHeader): string {
  const floats = header.inputs.map(({ type }) => type).find((type) => type.includes('float'));
  if (floats === undefined) {
    const given = header.outputs[0]?.type ?? 'float32';
    return given === 'float16' ? 'fp16' : 'fp32';
  }
  return { float16: 'fp16', float32: 'fp32', bfloat16: 'bf16', float64: 'fp64' }[floats] ?? floats;
}

interface Sources {
  readonly root: string;
  readonly family: string;
  readonly layout: FamilyLayout;
  readonly denoiserConfig: Json;
  readonly header: OnnxHeader | undefined;
  readonly vaeConfig: Json;
  readonly schedulerConfig: unknown;
  readonly own: OwnSettings;
}

function factsFrom(sources: Sources): ModelFacts {
  const { root, family, layout, denoiserConfig, header, vaeConfig, own } = sources;
  const sample = header?.inputs.find(({ name }) => name === layout.inputs[0]);
  // Flux takes tokens [B, S, D], which say neither.
  const planes = sample?.shape.length === 4 ? sample.shape : [];
  const levels = (config: Json) =>
    Array.isArray(config.block_out_channels) ? config.block_out_channels.length : undefined;
  const vaeScale = 2 ** ((levels(vaeConfig) ?? 4) - 1);
  const trained = trainedSize(family, denoiserConfig);
  const rows = trained?.[0] ?? number(planes[2]) ?? layout.sampleSize;
  const columns = trained?.[1] ?? number(planes[3]) ?? layout.sampleSize;
  // A UNet halves at each level but one; a transformer takes patches.
  const multiple =
    layout.denoiser === 'unet'
      ? 2 ** ((levels(denoiserConfig) ?? 4) - 1)
      : (number(denoiserConfig.patch_size) ?? 2);
  const latentChannels =
    number(vaeConfig.latent_channels) ??
    number(denoiserConfig.out_channels) ??
    number(planes[1]) ??
    4;
  const guided =
    header?.inputs.some(({ name }) => name === 'timestep_cond' || name === 'guidance') === true;
  const defaults = defaultsOf(family, sources.schedulerConfig, guided);
  return {
    name: basename(root),
    directory: root,
    family,
    precision: header === undefined ? 'fp32' : precisionOf(header),
    latentChannels,
    vaeScale,
    // Flux packs 2x2 latents into one token, whatever its patch_size says.
    sizeMultiple: vaeScale * (family === 'flux' ? 2 : multiple),
    defaultWidth: own.width ?? columns * vaeScale,
    defaultHeight: own.height ?? rows * vaeScale,
    defaultSteps: own.steps ?? defaults.steps,
    defaultGuidanceScale: own.guidanceScale ?? defaults.guidanceScale,
    defaultScheduler: displayName(sources.schedulerConfig),
  };
}

function displayName(schedulerConfig: unknown): string {
  try {
    return schedulerDisplayName(schedulerConfig);
  } catch (error) {
    if (error instanceof UserError) return 'unknown';
    throw error;
  }
}

async function fingerprintOf(
  parts: readonly ModelPart[],
  files: Inspected['files'] | undefined,
): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, bytes } of parts) hash.update(`${name}:${bytes}\n`);
  const weights = files?.at(-1);
  if (weights !== undefined) {
    const file = await open(weights.path, 'r');
    try {
      const sample = Buffer.alloc(Math.min(SAMPLE, weights.bytes));
      for (const share of [0, 0.5, 1]) {
        const at = Math.floor((weights.bytes - sample.length) * share);
        await file.read(sample, 0, sample.length, at);
        hash.update(sample);
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest('hex').slice(0, 10);
}
