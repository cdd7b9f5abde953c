// The one place where a failure becomes a sentence: for the person, in their language, when they
// can mend it; else an id that stands in the log.

import { UserError } from '../errors.js';
import { display } from './display.js';
import { textsFor } from './texts/index.js';

/** Discord takes 2,000; escapes may double a sentence. */
const LONGEST = 900;

/** The sentence of something the person can mend, in their language where there is one. */
export function sentenceOf(error: UserError, locale: string): string {
  return textsFor(locale).errors[error.identifier]?.(error.context) ?? error.message;
}

/** What only the one who runs the bot can mend: told in full in the log, and to nobody else. */
export function isForOperator(error: unknown): boolean {
  return !(error instanceof UserError) || error.identifier.startsWith('store-');
}

/**
 * What the person is told of any failure, as Markdown: a sentence may quote what they typed, which shows as typed.
 * @param id of the generation or the interaction: stands in the log beside the error
 */
export function tellFailure(error: unknown, locale: string, id: string): string {
  if (!(error instanceof UserError)) return textsFor(locale).broke(id);
  return isForOperator(error)
    ? textsFor(locale).cannotKeep(id)
    : display(sentenceOf(error, locale), LONGEST);
}
