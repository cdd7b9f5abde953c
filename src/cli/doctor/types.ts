// One line of what the doctor finds.

/** 'fail': the bot could not start; 'warn': it could, with a loss; 'none': not there, no loss by itself. */
export type Mark = 'ok' | 'warn' | 'fail' | 'none';

export interface Finding {
  /** one word */
  readonly name: string;
  readonly mark: Mark;
  /** what is found and, where it is not well, what to do: one line */
  readonly text: string;
}
