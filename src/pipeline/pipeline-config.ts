// What diffusers' Stable Diffusion pipelines change in a scheduler configuration when they take it up.
//
// Source: the constructors in diffusers pipelines/stable_diffusion/: files of the first releases had
// these keys wrong, and since then every directory is mended, whatever it says. Other families' are
// taken as they are.

import { type Json, object } from './json.js';

export interface PipelineKind {
  /** the family's name; only 'sd' is mended */
  readonly family: string;
  /** with a mask: the inpainting pipeline mends other keys */
  readonly masked: boolean;
  /** another scheduler than the directory's: it is made from the keys of the file alone */
  readonly named: boolean;
}

/**
 * The scheduler configuration as the pipeline uses it: steps_offset 1; clip_sample false, but with a
 * mask skip_prk_steps true instead.
 * @param config the parsed scheduler_config.json
 */
export function pipelineConfig(config: unknown, { family, masked, named }: PipelineKind): unknown {
  if (family !== 'sd') return config;
  const given = object(config);
  const mended: Json = {
    steps_offset: 1,
    ...(masked ? { skip_prk_steps: true } : { clip_sample: false }),
  };
  // A key that the file lacks is the class's default to the pipeline, but not to another class.
  const keys = Object.keys(mended).filter((key) => !named || key in given);
  const { _use_default_values: filledIn, ...rest } = given;
  return {
    ...rest,
    ...Object.fromEntries(keys.map((key) => [key, mended[key]])),
    ...(Array.isArray(filledIn) && {
      _use_default_values: named ? filledIn : filledIn.filter((key) => !keys.includes(key)),
    }),
  };
}
