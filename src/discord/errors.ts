// The one place where a failure becomes a sentence: for the person, in their language, when they
// can mend it; else an id that stands in the log.

import { UserError } from '../errors.js';
import { textsFor } from './texts/index.js';

/** The sentence of something the person can mend, in their language where there is one. */
export function sentenceOf(error: UserError, locale: string): string {
  return textsFor(locale).errors[error.identifier]?.(error.context) ?? error.message;
}

/**
 * What the person is told of any failure.
 * @param id of the generation or the interaction: stands in the log beside the error
 */
export function tellFailure(error: unknown, locale: string, id: string): string {
  return error instanceof UserError ? sentenceOf(error, locale) : textsFor(locale).broke(id);
}
