// A model directory brought to life: what it is, and from parameters to steps to a picture.

import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { UserError } from '../errors.js';
import { begin } from './begin.js';
import { denoise } from './denoise.js';
import type { Conditioning, Family } from './families/family.js';
import { loadFamily } from './families/index.js';
import { readJson, statIfThere } from './files.js';
import { modelHash } from './hash.js';
import { readInit } from './image/read.js';
import { object } from './json.js';
import { Lazy } from './lazy.js';
import { checkOwnSize, type OwnSettings, ownSettings, ownWarnings } from './own.js';
import { checkInit, checkParameters } from './parameters.js';
import { type PipelineKind, pipelineConfig } from './pipeline-config.js';
import { loadPreviewer, type Previewer } from './preview.js';
import { BUILT_IN, kindOf, passedOver } from './providers.js';
import { loadSafetyChecker, type SafetyChecker } from './safety.js';
import { readSchedulerFile } from './scheduler-file.js';
import { createScheduler, schedulerDisplayName, schedulerWarnings } from './schedulers/index.js';
import type { ScheduleExtras } from './schedulers/scheduler.js';
import type { Graph, Meter, SessionOptions } from './session.js';
import { type LoadWith, loadWithThreads, timesSlower, withoutGpu } from './threads.js';
import type {
  FloatTensor,
  GenerationParameters,
  InitImage,
  ModelInfo,
  PassedOver,
  RgbImage,
  Start,
  Step,
} from './types.js';

export interface LoadOptions {
  /** in the order of preference; default: the CPU */
  readonly providers?: readonly string[];
  /** threads of the CPU provider; absent: as many as are measured to help */
  readonly threads?: number;
}

export interface GenerateOptions {
  readonly start?: Start;
  /** only with `parameters.strength` */
  readonly init?: InitImage;
  readonly signal?: AbortSignal;
}

/** ms that the parts of the last generation took */
export interface ModelTimings {
  load: number;
  encode: number;
  unet: number[];
  decode: number;
  /** within the graphs' own runs: prompt, UNet, previews, decoder */
  readonly graphs: number;
}

export class Model {
  readonly info: ModelInfo;
  readonly timings: ModelTimings;
  readonly #family: Family;
  readonly #previewer: Previewer;
  readonly #schedulerConfig: unknown;
  /** what the directory's ylem.json says of every picture */
  readonly #conditioning: Pick<Conditioning, 'guidanceRescale' | 'trueGuidanceScale'>;

  readonly #session: SessionOptions & { readonly meter: Meter };
  /** ms per value of latents, of the quickest decoding */
  #quickest: number | undefined;
  readonly #hash: Lazy<string>;
  readonly #checker: Lazy<SafetyChecker>;
  readonly #hasChecker: Lazy<boolean>;

  constructor(
    info: ModelInfo,
    family: Family,
    previewer: Previewer,
    schedulerConfig: unknown,
    own: OwnSettings,
    session: SessionOptions & { readonly meter: Meter },
  ) {
    this.info = info;
    const { meter } = session;
    this.timings = {
      load: 0,
      encode: 0,
      unet: [],
      decode: 0,
      get graphs() {
        return meter.ms;
      },
    };
    this.#session = session;
    const { guidanceRescale, trueGuidanceScale } = own;
    this.#conditioning = {
      ...(guidanceRescale !== undefined && { guidanceRescale }),
      ...(trueGuidanceScale !== undefined && { trueGuidanceScale }),
    };
    this.#family = family;
    this.#previewer = previewer;
    this.#schedulerConfig = schedulerConfig;
    family.onUnet = (ms) => this.timings.unet.push(ms);
    this.#hash = new Lazy(() => modelHash(join(info.directory, family.hashedPart)));
    this.#checker = new Lazy(() => loadSafetyChecker(info.directory, session));
    const checker = join(info.directory, 'safety_checker', 'model.onnx');
    this.#hasChecker = new Lazy(
      async () => (await statIfThere(info.directory, checker)) !== undefined,
    );
  }

  /** The steps of one picture. Timings start anew. Throws the signal's reason between steps. */
  async *generate(
    parameters: GenerationParameters,
    options: GenerateOptions = {},
  ): AsyncGenerator<Step, void> {
    checkParameters(parameters, this.info);
    const { start, init, signal } = options;
    const { steps, width, height } = parameters;
    checkInit(parameters, init, start);
    const { latentChannels, vaeScale } = this.#family.parts;
    const dims = [1, latentChannels, height / vaeScale, width / vaeScale];
    this.timings.unet = [];
    this.#session.meter.ms = 0;
    const begun = performance.now();
    const kind = {
      family: this.#family.scheduledAs,
      masked: init?.mask !== undefined,
      named: parameters.scheduler !== undefined,
    };
    const { scheduler } = createScheduler(
      pipelineConfig(this.#schedulerConfig, kind),
      steps,
      parameters.scheduler,
      {
        ...this.#family.schedule(width, height, steps),
        ...shortening(kind, parameters),
      },
    );
    // A checkpoint holds what came of the image.
    const pixels =
      init === undefined || start?.kind === 'resume'
        ? undefined
        : await readInit(init, width, height, vaeScale);
    const beginning = await begin({
      family: this.#family,
      scheduler,
      parameters,
      dims,
      pixels,
      start,
    });
    const { extra } = beginning;
    const predict = await this.#family.predictor({
      ...parameters,
      ...this.#conditioning,
      ...(extra !== undefined && { extra }),
    });
    this.timings.encode = performance.now() - begun;
    // Made while the picture is: its file says the hash. A failure is told to whoever asks.
    this.hash().catch(() => {});
    yield* denoise({ scheduler, predict, beginning, dims, ...(signal && { signal }) });
  }

  /**
   * the picture of latents [1, C, h, w], by the full VAE
   * @param mayBeBlack absent: true; false: what is black alone is decoded again, more exactly
   * @throws UserError 'picture-not-finite' when it gives no numbers in any precision
   */
  async decode(latents: FloatTensor, mayBeBlack?: boolean): Promise<RgbImage> {
    const begun = performance.now();
    const image = await this.#family.decode(latents, mayBeBlack);
    this.timings.decode = performance.now() - begun;
    const perValue = this.timings.decode / latents.data.length;
    this.#quickest = Math.min(this.#quickest ?? perValue, perValue);
    return image;
  }

  /**
   * ms that `decode` takes for latents of this size where nothing else is at work here: as the
   * quickest so far took. Undefined before the first.
   */
  decodeMs({ data }: FloatTensor): number | undefined {
    return this.#quickest === undefined ? undefined : this.#quickest * data.length;
  }

  /** a cheap picture of latents [1, C, h, w]; may be smaller than the final one */
  preview(latents: FloatTensor): Promise<RgbImage> {
    return this.#previewer.draw(latents);
  }

  /** Which model this is: 10 hex digits (see hash.ts). Reads its weights when first asked for. */
  hash(): Promise<string> {
    return this.#hash.get();
  }

  /**
   * Whether the directory's own safety checker flags a picture; undefined where it has none. The
   * checker is loaded when it is first asked.
   * @throws UserError naming the file of the checker that is damaged
   */
  async checkSafety(image: RgbImage): Promise<boolean | undefined> {
    if (!(await this.hasSafetyChecker())) return undefined;
    return (await this.#checker.get()).flags(image);
  }

  /**
   * Whether the directory has a safety checker, sound or not; as it was when it could first be seen.
   * @throws UserError naming the checker's file when that cannot be found out: a picture that should
   * have been checked must not pass for one of a model without a checker
   */
  hasSafetyChecker(): Promise<boolean> {
    return this.#hasChecker.get();
  }

  async dispose(): Promise<void> {
    const checker = await this.#checker.made();
    await this.#previewer.release?.();
    await checker?.release();
    await this.#family.release();
  }
}

/**
 * Loads a diffusers ONNX directory with the first provider that can run it.
 * @throws UserError naming what is missing or damaged
 */
export async function loadModel(directory: string, options: LoadOptions = {}): Promise<Model> {
  const begun = performance.now();
  const root = resolve(directory);
  const folder = await stat(root).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw new UserError('model-missing', `There is no model directory ${directory}.`, {
      directory,
    });
  }
  // First of all: what lacks this is no model at all.
  const index = await readJson(root, join(root, 'model_index.json'));
  const { config: schedulerConfig, warnings: disagreement } = await readSchedulerFile(root, index);
  const ownJson = object(await readJson(root, join(root, 'ylem.json'), true));
  const own = ownSettings(ownJson);
  const warnings = [
    ...disagreement,
    ...schedulerWarnings(schedulerConfig),
    ...ownWarnings(ownJson),
  ];
  const tried: PassedOver[] = [];
  const providers = options.providers ?? ['cpu'];
  for (const [place, provider] of providers.entries()) {
    // onnxruntime-node takes an unknown provider without a word and runs on the CPU instead.
    if (!BUILT_IN.has(provider)) {
      const reason = "this platform's onnxruntime-node has none";
      tried.push({ name: provider, reason, kind: 'other' });
      continue;
    }
    const opened: Graph[] = [];
    const meter: Meter = { ms: 0 };
    const load: LoadWith = (threads, vaeThreads) =>
      loadFamily(root, { provider, threads, vaeThreads, opened, meter });
    try {
      if (provider === 'webgpu' && providers.includes('cpu', place)) {
        const times = await timesSlower(provider, options.threads);
        if (times !== undefined) {
          tried.push({ name: provider, reason: withoutGpu(times), kind: 'other' });
          continue;
        }
      }
      const given = options.threads ?? 1;
      const { threads, family } =
        options.threads === undefined && provider === 'cpu'
          ? await loadWithThreads(await denoiserBytes(root), load)
          : { threads: given, family: await load(given, given) };
      const session = { provider, threads, opened, meter };
      const previewer = await loadPreviewer(root, family, session);
      const info = await describe(
        root,
        family,
        previewer,
        schedulerConfig,
        session,
        tried,
        warnings,
        own,
      );
      const model = new Model(info, family, previewer, schedulerConfig, own, session);
      model.timings.load = performance.now() - begun;
      return model;
    } catch (error) {
      // What was opened so far holds memory, which the next provider may need.
      await Promise.allSettled(opened.map((graph) => graph.release()));
      // A model that one provider has no memory for may fit into another's.
      if (error instanceof UserError && kindOf(error) !== 'memory') throw error;
      tried.push(await passedOver(provider, error));
    }
  }
  throw new UserError(
    'no-provider',
    `The model cannot run here: ${tried.map(({ name, reason }) => `${name}: ${reason}`).join('; ') || 'no provider is named'}.`,
    { kind: tried.some(({ kind }) => kind === 'memory') ? 'memory' : 'other' },
  );
}

/** diffusers' image-to-image pipeline of latent consistency models leaves the strength to the scheduler. */
function shortening(
  { family, masked }: PipelineKind,
  { strength }: GenerationParameters,
): ScheduleExtras {
  return family === 'lcm' && !masked && strength !== undefined ? { strength } : {};
}

async function describe(
  root: string,
  family: Family,
  previewer: Previewer,
  schedulerConfig: unknown,
  { provider, threads }: SessionOptions,
  providersTried: ModelInfo['providersTried'],
  warnings: readonly string[],
  own: OwnSettings,
): Promise<ModelInfo> {
  const { parts } = family;
  checkOwnSize(own, parts.sizeMultiple);
  return {
    name: basename(root),
    directory: root,
    family: family.name,
    provider,
    ...(provider === 'cpu' && { threads }),
    providersTried,
    precision: parts.precision,
    latentChannels: parts.latentChannels,
    vaeScale: parts.vaeScale,
    sizeMultiple: parts.sizeMultiple,
    defaultWidth: own.width ?? (parts.sampleWidth ?? parts.sampleSize) * parts.vaeScale,
    defaultHeight: own.height ?? parts.sampleSize * parts.vaeScale,
    defaultSteps: own.steps ?? family.defaults.steps,
    defaultGuidanceScale: own.guidanceScale ?? family.defaults.guidanceScale,
    defaultScheduler: schedulerDisplayName(schedulerConfig),
    previewKind: previewer.kind,
    warnings: [...warnings, ...family.warnings],
  };
}

/** bytes of the UNet or transformer, with the weights that lie beside it; 0 where there is none */
async function denoiserBytes(root: string): Promise<number> {
  let bytes = 0;
  for (const part of ['unet', 'transformer']) {
    for (const name of await readdir(join(root, part)).catch(() => [])) {
      bytes += (await stat(join(root, part, name))).size;
    }
  }
  return bytes;
}
