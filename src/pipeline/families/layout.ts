// How to tell a family by its directory, which files it paints with, and what it paints by default.
// Data alone: the bot process reads this file, and must not load onnxruntime.

type Json = Readonly<Record<string, unknown>>;

/** What a directory must hold for its family, beside scheduler/scheduler_config.json. */
export interface FamilyLayout {
  /** folder of the graph that denoises */
  readonly denoiser: 'unet' | 'transformer';
  /** folders that each hold a model.onnx */
  readonly graphs: readonly string[];
  /** folders that each hold a tokenizer.json, or vocab.json and merges.txt */
  readonly tokenizers: readonly string[];
  /** inputs that the denoiser's graph must take */
  readonly inputs: readonly string[];
  /** steps and guidance where neither the model nor the user says any */
  readonly steps: number;
  readonly guidanceScale: number;
  /** latents per side, where no configuration says it */
  readonly sampleSize: number;
}

const UNET_INPUTS = ['sample', 'timestep', 'encoder_hidden_states'];
const TRANSFORMER_INPUTS = ['hidden_states', 'timestep', 'encoder_hidden_states'];

export const LAYOUTS: Readonly<Record<string, FamilyLayout>> = {
  sd: {
    denoiser: 'unet',
    graphs: ['text_encoder', 'unet', 'vae_decoder'],
    tokenizers: ['tokenizer'],
    inputs: UNET_INPUTS,
    steps: 20,
    guidanceScale: 7.5,
    sampleSize: 64,
  },
  lcm: {
    denoiser: 'unet',
    graphs: ['text_encoder', 'unet', 'vae_decoder'],
    tokenizers: ['tokenizer'],
    inputs: [...UNET_INPUTS, 'timestep_cond'],
    steps: 4,
    guidanceScale: 8.5,
    sampleSize: 64,
  },
  sdxl: {
    denoiser: 'unet',
    graphs: ['text_encoder_2', 'unet', 'vae_decoder'], // a refiner has no first text encoder
    tokenizers: ['tokenizer_2'],
    inputs: [...UNET_INPUTS, 'text_embeds', 'time_ids'],
    steps: 30,
    guidanceScale: 5,
    sampleSize: 128,
  },
  sd3: {
    denoiser: 'transformer',
    graphs: ['text_encoder', 'text_encoder_2', 'transformer', 'vae_decoder'],
    tokenizers: ['tokenizer', 'tokenizer_2'],
    inputs: [...TRANSFORMER_INPUTS, 'pooled_projections'],
    steps: 28,
    guidanceScale: 7,
    sampleSize: 128,
  },
  flux: {
    denoiser: 'transformer',
    graphs: ['text_encoder', 'text_encoder_2', 'transformer', 'vae_decoder'],
    tokenizers: ['tokenizer', 'tokenizer_2'],
    inputs: [...TRANSFORMER_INPUTS, 'pooled_projections', 'img_ids', 'txt_ids'],
    steps: 28,
    guidanceScale: 3.5,
    sampleSize: 128,
  },
};

/**
 * Latents that the denoiser was trained on, rows and columns; undefined where its configuration does
 * not say. Configurations of Stable Diffusion from before diffusers 0.9 name fewer than they mean, as
 * its pipelines know (and those of other families do not).
 * @param config unet/config.json or transformer/config.json
 */
export function trainedSize(family: string, config: Json): readonly [number, number] | undefined {
  const given = config.sample_size;
  if (Array.isArray(given)) {
    const [rows, columns = rows] = given as readonly unknown[];
    return isSize(rows) && isSize(columns) ? [rows, columns] : undefined;
  }
  if (!isSize(given)) return undefined;
  const old = /^0\.[0-8](?:\.|$)/.test(String(config._diffusers_version));
  const size = family === 'sd' && old && given < 64 ? 64 : given;
  return [size, size];
}

const isSize = (value: unknown): value is number => typeof value === 'number' && value > 0;

/**
 * The family of a directory, by what lies in it rather than by its pipeline's class: exporters name
 * one architecture differently (OnnxStableDiffusionPipeline, ORTStableDiffusionPipeline, ...).
 *
 * @param index model_index.json
 * @param denoiserConfig unet/config.json or transformer/config.json; empty where there is none
 * @param folders the directory's sub-directories
 * @returns a key of LAYOUTS; undefined for what is none of these
 */
export function familyOf(
  index: Json,
  denoiserConfig: Json,
  folders: ReadonlySet<string>,
): string | undefined {
  const names = `${String(index._class_name)} ${String(denoiserConfig._class_name)}`;
  if (folders.has('transformer')) {
    if (/flux/i.test(names)) return 'flux';
    return /stable_?diffusion_?3|sd3/i.test(names) ? 'sd3' : undefined;
  }
  if (!folders.has('unet')) return undefined;
  const addition = denoiserConfig.addition_embed_type;
  if (folders.has('text_encoder_2') || addition === 'text_time') return 'sdxl';
  if (typeof denoiserConfig.time_cond_proj_dim === 'number') return 'lcm';
  return 'sd';
}

/**
 * Steps and guidance of a model that says none itself: the family's, or fewer for one that was
 * distilled, which is seen by its scheduler or by a transformer that takes no guidance.
 *
 * @param guided whether the denoiser takes the guidance as an input
 */
export function defaultsOf(
  family: string,
  schedulerConfig: unknown,
  guided: boolean,
): { readonly steps: number; readonly guidanceScale: number } {
  const { steps, guidanceScale } = LAYOUTS[family]!;
  const few = { steps: 4, guidanceScale: 1 };
  switch (family) {
    case 'sd':
    case 'sdxl':
      if (guided) return { ...few, guidanceScale: 8.5 }; // SDXL as a latent consistency model
      return fewSteps((schedulerConfig ?? {}) as Json) ? few : { steps, guidanceScale };
    case 'flux':
      return guided ? { steps, guidanceScale } : few; // schnell
    default:
      return { steps, guidanceScale };
  }
}

/** How a model with few steps is recognised: by what its makers put into the scheduler's file. */
function fewSteps(scheduler: Json): boolean {
  const name = String(scheduler._class_name);
  if (/^(LCM|TCD)Scheduler$/.test(name)) return true;
  // SD Turbo, SDXL Turbo and Lightning; zero-SNR models have trailing steps as well.
  return (
    /^Euler/.test(name) &&
    scheduler.timestep_spacing === 'trailing' &&
    scheduler.prediction_type !== 'v_prediction' &&
    scheduler.rescale_betas_zero_snr !== true
  );
}
