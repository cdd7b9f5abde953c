// `ylem imagine`: one picture, painted in this very process with the pipeline that the bot uses.

import { randomInt } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import sharp from 'sharp';
import { type Config, loadConfig } from '../config.js';
import { drawerFor } from '../engine/draw.js';
import { UserError } from '../errors.js';
import {
  checkParameters,
  drawEvolution,
  encodePng,
  infotextOf,
  loadModel,
  type Model,
  toKept,
} from '../pipeline/index.js';
import type { GenerationParameters, KeptStep, ModelInfo, Step } from '../pipeline/types.js';
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
  directory: string,
  { providers, threads }: Config,
  progress: Progress,
): Promise<void> {
  const from = performance.now();
  progress.say('loading the model');
  const model = await loadModel(directory, {
    providers,
    ...(threads !== undefined && { threads }),
  });
  const load = performance.now() - from;
  try {
    const parameters = parametersOf(asked, model.info);
    const kept: KeptStep[] = [];
    let last: Step | undefined;
    progress.say('reading the prompt');
    for await (const step of model.generate(parameters)) {
      last = step;
      if (asked.evolution !== undefined) kept.push(toKept(step));
      progress.update(step.index, step.total);
      // The bar is written when the event loop turns, which model calls hold up.
      await turn();
    }
    if (last === undefined) throw new Error('Expected at least one step');
    progress.say('decoding');
    const image = await encodePng(
      await model.decode(last.latents),
      infotextOf(parameters, model.info),
    );
    await writeWhole(asked.out, image.bytes);
    const { encode, unet, decode } = model.timings;
    const files = [asked.out];
    if (asked.evolution !== undefined) {
      progress.say('drawing the evolution');
      await writeWhole(asked.evolution, await evolutionFor(model, kept, asked.evolution));
      files.push(asked.evolution);
    }
    const timings = { load, encode, unet, decode, total: performance.now() - from };
    progress.end();
    report(asked, parameters, model.info, timings, files);
  } finally {
    await model.dispose();
  }
}

/** A contact sheet for a file that ends in .png, else an animation. */
async function evolutionFor(
  model: Model,
  kept: readonly KeptStep[],
  file: string,
): Promise<Uint8Array> {
  const options = {
    kind: /\.png$/i.test(file) ? 'sheet' : 'animation',
    frames: SHEET_FRAMES,
    order: 'reading',
    show: 'prediction',
  } as const;
  const drawer = await drawerFor(model, kept, options);
  const { bytes } = await drawEvolution(drawer, kept, options, Infinity);
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
