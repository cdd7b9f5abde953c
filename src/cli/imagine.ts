// `ylem imagine`: one picture without Discord, by the engine that the bot uses. That it is a process
// of its own keeps the bar moving during model calls, and the native libraries' chatter off stderr.

import { randomInt } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import sharp from 'sharp';
import { type Config, loadConfig } from '../config.js';
import { createEngine, type Engine } from '../engine/index.js';
import { UserError } from '../errors.js';
import { checkParameters } from '../pipeline/parameters.js';
import type { GenerationParameters, KeptStep, ModelInfo } from '../pipeline/types.js';
import { badArgument, type ImagineArguments, parseImagine } from './arguments.js';
import { writeWhole } from './files.js';
import { IMAGINE_HELP } from './help.js';
import { createProgress, type Progress } from './progress.js';

/** Frames of a contact sheet: as many as the essay shows. */
const SHEET_FRAMES = 9;

/** ms */
interface Timings {
  readonly load: number;
  readonly encode: number;
  readonly unet: readonly number[];
  readonly decode: number;
  readonly total: number;
}

/**
 * @param args what follows `imagine` on the command line
 * @returns the exit status, 0
 * @throws UserError 'bad-argument' for what was asked wrongly; whatever else fails
 */
export async function imagine(args: readonly string[]): Promise<number> {
  const asked = parseImagine(args);
  if (asked === 'help') {
    process.stdout.write(IMAGINE_HELP);
    return 0;
  }
  const config = loadConfig();
  const directory = await checkPaths(asked, config);
  const progress = createProgress(process.stderr);
  try {
    await paint(asked, directory, config, progress);
  } finally {
    progress.end();
  }
  return 0;
}

async function paint(
  asked: ImagineArguments,
  modelDirectory: string,
  { providers, threads }: Config,
  progress: Progress,
): Promise<void> {
  const from = performance.now();
  progress.say('loading the model');
  const settings = { modelDirectory, providers, ...(threads !== undefined && { threads }) };
  const engine = createEngine(settings);
  try {
    const info = await engine.ready;
    const load = performance.now() - from;
    const parameters = parametersOf(asked, info);
    progress.say('reading the prompt');
    const kept: KeptStep[] = [];
    const job = {
      id: 'imagine',
      parameters,
      start: { kind: 'noise' },
      maxBytes: Infinity,
    } as const;
    const { image, timings } = await engine.run(job, {
      onStep({ index, total, kept: step }) {
        kept[index - 1] = step;
        progress.update(index, total);
      },
    }).result;
    await writeWhole(asked.out, image.bytes);
    const files = [asked.out];
    if (asked.evolution !== undefined) {
      progress.say('drawing the evolution');
      await writeWhole(asked.evolution, await evolutionFor(engine, kept, asked.evolution));
      files.push(asked.evolution);
    }
    const { encode, unet, decode } = timings;
    const total = performance.now() - from;
    progress.end();
    report(asked, parameters, info, rounded({ load, encode, unet, decode, total }), files);
  } finally {
    await engine.close();
  }
}

/** A contact sheet for a file that ends in .png, else an animation. */
async function evolutionFor(
  engine: Engine,
  kept: readonly KeptStep[],
  file: string,
): Promise<Uint8Array> {
  const options = {
    kind: /\.png$/i.test(file) ? 'sheet' : 'animation',
    frames: SHEET_FRAMES,
    order: 'reading',
    show: 'prediction',
  } as const;
  const { bytes } = await engine.evolution(kept, options, Infinity);
  return /\.gif$/i.test(file) ? sharp(bytes, { animated: true }).gif().toBuffer() : bytes;
}

/**
 * The model and the folders to write to must be there before minutes of work begin.
 * @returns the model's directory
 */
async function checkPaths(asked: ImagineArguments, config: Config): Promise<string> {
  const isFolder = (path: string) =>
    stat(path).then(
      (entry) => entry.isDirectory(),
      () => false,
    );
  for (const file of [asked.out, asked.evolution]) {
    if (file === undefined) continue;
    const folder = dirname(resolve(file));
    if (!(await isFolder(folder))) throw badArgument(`There is no folder "${folder}" to write to.`);
    if (await isFolder(file)) throw badArgument(`"${file}" is a folder: name a file.`);
  }
  if (asked.evolution !== undefined && resolve(asked.evolution) === resolve(asked.out)) {
    throw badArgument('--out and --evolution name the same file.');
  }
  if (asked.model !== undefined && !(await isFolder(asked.model))) {
    throw badArgument(`Expected --model to be a model's directory, got "${asked.model}".`);
  }
  return asked.model === undefined ? config.modelDirectory : resolve(asked.model);
}

/** What was asked for, the rest as the model has it. */
function parametersOf(asked: ImagineArguments, info: ModelInfo): GenerationParameters {
  const parameters = {
    prompt: asked.prompt,
    negativePrompt: asked.negative,
    seed: asked.seed ?? randomInt(2 ** 32),
    steps: asked.steps ?? info.defaultSteps,
    guidanceScale: asked.guidance ?? info.defaultGuidanceScale,
    width: asked.width ?? info.defaultWidth,
    height: asked.height ?? info.defaultHeight,
    ...(asked.scheduler !== undefined && { scheduler: asked.scheduler }),
  };
  try {
    checkParameters(parameters, info);
  } catch (error) {
    // A size that this model cannot paint was still asked for on the command line.
    throw error instanceof UserError ? badArgument(error.message) : error;
  }
  return parameters;
}

/** To microseconds: the clock's further digits say nothing. */
function rounded(timings: Timings): Timings {
  const round = (ms: number) => Math.round(ms * 1000) / 1000;
  return {
    load: round(timings.load),
    encode: round(timings.encode),
    unet: timings.unet.map(round),
    decode: round(timings.decode),
    total: round(timings.total),
  };
}

function report(
  { json }: ImagineArguments,
  parameters: GenerationParameters,
  info: ModelInfo,
  timings: Timings,
  files: readonly string[],
): void {
  const { seed, width, height } = parameters;
  if (json) {
    const scheduler = parameters.scheduler ?? info.defaultScheduler;
    const { name, hash, provider, precision } = info;
    const line = {
      seed,
      parameters: { ...parameters, scheduler },
      model: { name, hash, provider, precision },
      timings,
      files,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const seconds = (timings.total / 1000).toFixed(1);
  process.stdout.write(`seed ${seed}\n`);
  process.stdout.write(`${files.join(' and ')} (${width}x${height}, ${seconds} s)\n`);
}
