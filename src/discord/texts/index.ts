// The sentences for a reader's locale; English where there is no translation.

import { de } from './de.js';
import { en } from './en.js';
import { fr } from './fr.js';
import type { Texts } from './types.js';

/** @param locale as Discord names it, such as 'en-GB' or 'de' */
export function textsFor(locale: string): Texts {
  if (locale.startsWith('de')) return de;
  if (locale.startsWith('fr')) return fr;
  return en;
}

/** A waiting time as people say it: seconds below 90, then whole minutes. Never less than 1 s. */
export function duration(milliseconds: number, texts: Texts): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  return seconds < 90 ? texts.seconds(seconds) : texts.minutes(Math.round(seconds / 60));
}

/**
 * Rounds a waiting time up so far that a shown one need not change every second: to 1 s below 10,
 * 5 s below a minute, 15 s beyond.
 */
export function coarse(milliseconds: number): number {
  const unit = milliseconds < 10_000 ? 1000 : milliseconds < 60_000 ? 5000 : 15_000;
  return Math.ceil(milliseconds / unit) * unit;
}

/** As a sentence or a label begins. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The same text in the locales that Discord is told of besides English. */
export function localized(english: string, german: string, french: string) {
  return { english, localizations: { de: german, fr: french } } as const;
}

export type { Texts } from './types.js';
