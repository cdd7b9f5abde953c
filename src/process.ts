// How the process ends: in order on a signal or when it has lost what it lives by, at once over a bug
// that nobody caught, with one sentence when it cannot start.

import type { Logger } from 'pino';
import { withoutRequest } from './commands/log-safe.js';
import { EngineDied } from './engine/types.js';
import { UserError } from './errors.js';
import { onParentGone } from './parent.js';

/** ms that an orderly end may take, below the 10 s that service managers grant */
const PATIENCE = 9000;

/** true once the process has been told to end */
let ending = false;

/**
 * Ends the process on a signal, or when npm, which started it, has gone: with status 0 after `close`,
 * or with 1 when that takes too long or fails.
 * @returns ends it in the same order with status 1, for a reason that is told on stderr
 */
export function endOnSignal(
  logger: Logger,
  close: () => Promise<void>,
): (reason: UserError) => void {
  const end = (status: 0 | 1): void => {
    ending = true;
    setTimeout(() => process.exit(1), PATIENCE).unref();
    close().then(
      () => process.exit(status),
      (err: unknown) => {
        logger.error({ err }, 'could not end in order');
        process.exit(1);
      },
    );
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (ending) {
      // A second Ctrl-C means now. What is unfinished is in the store.
      if (signal === 'SIGINT') process.exit(1);
      return;
    }
    logger.info({ signal }, 'ending; what does not end in time goes on at the next start');
    end(0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  onParentGone(() => {
    if (ending) return;
    logger.info(
      'npm, which started the bot, has gone: ending; what does not end in time goes on at the next start',
    );
    end(0);
  });
  return (reason) => {
    if (ending) return;
    complain(reason);
    end(1);
  };
}

/**
 * A bug that nobody caught leaves the process in a state that nobody knows: it is logged without what
 * people wrote, and the process ends. What is unfinished is in the store, for the next start.
 */
export function endOnBugs(logger: Logger): void {
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: withoutRequest(error) }, 'something broke that nobody caught');
    process.exit(1);
  });
}

/** Says why the bot cannot run and ends the process, whatever connections are still being tried. */
export function exitOn(error: unknown, logger: Logger): void {
  if (ending) return; // told to end while it was starting: that is under way
  if (error instanceof UserError || error instanceof EngineDied) complain(error);
  else logger.fatal({ err: withoutRequest(error) }, 'could not start');
  process.exit(1);
}

function complain({ message }: Error): void {
  process.stderr.write(`ylem: ${message.replaceAll('\n', ' ')}\n`);
}
