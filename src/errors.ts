// The two kinds of failure: what a user can mend (UserError) and everything else (a bug).

/** Values that a localised text may fill in. */
export type ErrorContext = Readonly<Record<string, string | number>>;

/**
 * Something the person who asked can mend. `message` is one English sentence that says what is
 * wrong and what is allowed; `identifier` (kebab-case) and `context` let texts be localised.
 * Everything thrown that is not a UserError is a bug and is logged as one.
 */
export class UserError extends Error {
  readonly identifier: string;
  readonly context: ErrorContext;

  constructor(identifier: string, message: string, context: ErrorContext = {}) {
    super(message);
    this.name = 'UserError';
    this.identifier = identifier;
    this.context = context;
  }
}

/** For whoever asks for something while the process ends. */
export const shuttingDown = (): UserError =>
  new UserError('shutting-down', 'I am just restarting; try again in a moment.');
