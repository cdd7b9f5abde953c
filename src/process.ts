// How the process ends: in order on a signal, with one sentence when it cannot start.

import type { Logger } from 'pino';
import { UserError } from './errors.js';

/** ms that an orderly end may take, below the 10 s that service managers grant */
const PATIENCE = 9000;

/** true once the process has been told to end */
let ending = false;

/** Ends the process with status 0 after `close`, or with 1 when that takes too long or fails. */
export function endOnSignal(logger: Logger, close: () => Promise<void>): void {
  const end = (signal: NodeJS.Signals): void => {
    if (ending) {
      // A second Ctrl-C means now. What is unfinished is in the store.
      if (signal === 'SIGINT') process.exit(1);
      return;
    }
    ending = true;
    logger.info({ signal }, 'ending; what does not end in time goes on at the next start');
    setTimeout(() => process.exit(1), PATIENCE).unref();
    close().then(
      () => process.exit(0),
      (err: unknown) => {
        logger.error({ err }, 'could not end in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

/** Says why the bot cannot run and ends the process, whatever connections are still being tried. */
export function exitOn(error: unknown, logger: Logger): void {
  if (ending) return; // told to end while it was starting: that is under way
  if (error instanceof UserError)
    process.stderr.write(`ylem: ${error.message.replaceAll('\n', ' ')}\n`);
  else logger.fatal({ err: error }, 'could not start');
  process.exit(1);
}
