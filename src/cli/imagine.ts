// `ylem imagine`: one picture without Discord, by the engine that the bot uses. That it is a process
// of its own keeps the bar moving during model calls, and the native libraries' chatter off stderr.

import { randomInt } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import sharp from 'sharp';
import type { Config } from '../config.js';
import { createEngine, type Engine } from '../engine/index.js';
import { UserError } from '../errors.js';
import { parseInfotext } from '../pipeline/image/infotext.js';
import { imageSize } from '../pipeline/image/read.js';
import { checkParameters, sizeLike } from '../pipeline/parameters.js';
import type { GenerationParameters, InitImage, KeptStep, ModelInfo } from '../pipeline/types.js';
import { badArgument, type ImagineArguments, parseImagine } from './arguments.js';
import { writeWhole } from './files.js';
import { IMAGINE_HELP } from './help.js';
import { placeOf } from './models/directory.js';
import { createProgress, type Progress } from './progress.js';
import { settings } from './settings.js';

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
  const config = settings();
  const directory = await checkPaths(asked, config);
  const begin = asked.init === undefined ? undefined : await readFiles(asked.init);
  const progress = createProgress(process.stderr);
  try {
    await paint(asked, directory, begin, config, progress);
  } finally {
    progress.end();
  }
  return 0;
}

async function paint(
  asked: ImagineArguments,
  modelDirectory: string,
  begin: Begin | undefined,
  { providers, safety, threads }: Config,
  progress: Progress,
): Promise<void> {
  const from = performance.now();
  progress.say('loading the model');
  const chosen = { modelDirectory, providers, safety, ...(threads !== undefined && { threads }) };
  const engine = createEngine(chosen);
  try {
    const info = await engine.ready.catch((error: unknown) => {
      throw located(error, modelDirectory);
    });
    const load = performance.now() - from;
    const parameters = parametersOf(asked, info, begin);
    progress.say('reading the prompt');
    const kept: KeptStep[] = [];
    const job = {
      id: 'imagine',
      parameters,
      start: { kind: 'noise' },
      maxBytes: Infinity,
      ...(begin !== undefined && { init: begin.init }),
    } as const;
    const run = engine.run(job, {
      onStep(step) {
        const { index, total } = step;
        if (asked.evolution !== undefined) kept[index - 1] = step;
        progress.update(index, total);
      },
    });
    const { image, infotext, flagged, timings } = await run.result.catch((error: unknown) => {
      throw asArgument(error, asked.scheduler);
    });
    await writeWhole(asked.out, image.bytes);
    const files = [asked.out];
    // The steps of a picture that had to be blurred would show it.
    if (asked.evolution !== undefined && !flagged) {
      progress.say('drawing the evolution');
      await writeWhole(asked.evolution, await evolutionFor(engine, kept, asked.evolution));
      files.push(asked.evolution);
    }
    const { encode, unet, decode } = timings;
    const total = performance.now() - from;
    progress.end();
    if (flagged) {
      process.stderr.write(
        'The safety checker of the model found something in the picture: it is blurred (YLEM_SAFETY).\n',
      );
    }
    const model = { ...info, hash: parseInfotext(infotext).values.get('Model hash') };
    report(asked, parameters, model, rounded({ load, encode, unet, decode, total }), files);
  } finally {
    await engine.close();
  }
}

/** What the run begins from, and its size as it is shown, px. */
interface Begin {
  readonly init: InitImage;
  readonly width: number;
  readonly height: number;
}

/** @throws UserError 'bad-argument' when a file is not there or is no picture */
async function readFiles({ image, mask }: NonNullable<ImagineArguments['init']>): Promise<Begin> {
  const read = async (name: string, file: string) => {
    try {
      return await readFile(file);
    } catch {
      throw badArgument(`Expected --${name} to be a picture's file, got "${file}".`);
    }
  };
  const bytes = await read('init', image);
  const over = mask === undefined ? undefined : await read('mask', mask);
  try {
    const size = await imageSize(bytes);
    if (over !== undefined) await imageSize(over, 'mask');
    return { init: { image: bytes, ...(over !== undefined && { mask: over }) }, ...size };
  } catch (error) {
    throw asArgument(error);
  }
}

/** What only the engine could see to be wrongly asked: of the files, the words, or of this model. */
const ASKED = new Set([
  'bad-image',
  'image-too-large',
  'image-slow',
  'strength-too-small',
  'steps-for-strength',
  'image-not-finite',
  'no-vae-encoder',
  'needs-mask',
  'prompt-too-long',
  'bad-weight',
  'no-clip-skip',
  'bad-clip-skip',
  'steps-range',
  'bad-size',
  'scheduler-flow',
]);

/** What is wrong with a model, with the directory that may be another one than was meant. */
function located(error: unknown, directory: string): unknown {
  if (!(error instanceof UserError) || error.message.includes(directory)) return error;
  return new UserError(error.identifier, `${directory}: ${error.message}`, error.context);
}

/** @param scheduler that was asked for, and may be what the model's configuration does not suit */
function asArgument(error: unknown, scheduler?: string): unknown {
  if (!(error instanceof UserError)) return error;
  const { identifier, message } = error;
  const isAsked =
    ASKED.has(identifier) || (identifier === 'scheduler-config' && scheduler !== undefined);
  return isAsked ? badArgument(message) : error;
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
    show: 'latents',
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
    await stat(file).catch(({ code }: NodeJS.ErrnoException) => {
      if (code === 'ENAMETOOLONG') throw badArgument(`The name of "${file}" is too long.`);
    });
    if (!(await isFolder(folder))) throw badArgument(`There is no folder "${folder}" to write to.`);
    if (await isFolder(file)) throw badArgument(`"${file}" is a folder: name a file.`);
    await access(folder, constants.W_OK).catch(() => {
      throw badArgument(`"${folder}" cannot be written to.`);
    });
  }
  if (asked.evolution !== undefined && resolve(asked.evolution) === resolve(asked.out)) {
    throw badArgument('--out and --evolution name the same file.');
  }
  if (asked.model === undefined) return config.modelDirectory;
  return (await placeOf(config, asked.model)).directory;
}

/** What was asked for, the rest as the model has it. */
function parametersOf(
  asked: ImagineArguments,
  info: ModelInfo,
  begin: Begin | undefined,
): GenerationParameters {
  const usual =
    begin === undefined
      ? { width: info.defaultWidth, height: info.defaultHeight }
      : sizeLike(begin, info, asked);
  const parameters = {
    prompt: asked.prompt,
    negativePrompt: asked.negative,
    seed: asked.seed ?? randomInt(2 ** 32),
    steps: asked.steps ?? info.defaultSteps,
    guidanceScale: asked.guidance ?? info.defaultGuidanceScale,
    width: asked.width ?? usual.width,
    height: asked.height ?? usual.height,
    ...(asked.scheduler !== undefined && { scheduler: asked.scheduler }),
    ...(asked.strength !== undefined && { strength: asked.strength }),
    ...(asked.noise !== undefined && { noise: asked.noise }),
    ...(asked.weighting && { weighting: true }),
    ...(asked.clipSkip !== undefined && { clipSkip: asked.clipSkip }),
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
  info: ModelInfo & { readonly hash: string | undefined },
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
