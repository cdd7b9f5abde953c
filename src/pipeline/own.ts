// ylem.json: what a model's directory may say to Ylem alone. Every key is optional.
//
// steps, guidanceScale, width and height are what users get who ask for nothing else; guidanceRescale
// (0 to 1) is how far a guided estimate gets the conditional one's deviation, 0.7 for models with a
// terminal SNR of zero (Lin et al. 2023, section 3.4); trueGuidanceScale is how strongly a negative
// prompt pushes a Flux model away (diffusers' true_cfg_scale), at the price of a second model call.

import { UserError } from '../errors.js';
import { type Json, number } from './json.js';
import { LIMITS } from './parameters.js';

export interface OwnSettings {
  readonly steps?: number;
  readonly guidanceScale?: number;
  /** px */
  readonly width?: number;
  readonly height?: number;
  readonly guidanceRescale?: number;
  readonly trueGuidanceScale?: number;
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
}

const RANGES: Readonly<Record<keyof OwnSettings, Range>> = {
  steps: { ...LIMITS.steps, whole: true },
  guidanceScale: LIMITS.guidanceScale,
  width: { ...LIMITS.side, whole: true },
  height: { ...LIMITS.side, whole: true },
  guidanceRescale: { min: 0, max: 1 },
  trueGuidanceScale: { ...LIMITS.guidanceScale, min: 1 },
};

/** One sentence for keys that mean nothing here. */
export function ownWarnings(json: Json): string[] {
  const unknown = Object.keys(json).filter((key) => !(key in RANGES));
  if (unknown.length === 0) return [];
  const there = Object.keys(RANGES).join(', ');
  return [
    `The model's ylem.json says ${unknown.join(', ').slice(0, 200)}, which is no setting; there are ${there}.`,
  ];
}

/**
 * @param multiple px that width and height are multiples of
 * @throws UserError 'model-setting' that names the key
 */
export function checkOwnSize(own: OwnSettings, multiple: number): void {
  for (const key of ['width', 'height'] as const) {
    const value = own[key];
    if (value === undefined || value % multiple === 0) continue;
    throw new UserError(
      'model-setting',
      `The model's ylem.json has a ${key} of ${value}, which is no multiple of ${multiple}.`,
      { key, multiple },
    );
  }
}

/** @throws UserError 'model-setting' that names the key and what it may be */
export function ownSettings(json: Json): OwnSettings {
  const settings: Partial<Record<keyof OwnSettings, number>> = {};
  for (const [key, { min, max, whole }] of Object.entries(RANGES) as [keyof OwnSettings, Range][]) {
    const given = json[key];
    if (given === undefined || given === null) continue;
    const value = number(given);
    if (
      value === undefined ||
      !(value >= min && value <= max) ||
      (whole && !Number.isInteger(value))
    ) {
      throw new UserError(
        'model-setting',
        `The model's ylem.json has a ${key} that is no ${whole ? 'whole ' : ''}number from ${min} to ${max}.`,
        { key, min, max },
      );
    }
    settings[key] = value;
  }
  return settings;
}
