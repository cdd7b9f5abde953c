// Removes what is older or larger than the operator wants to keep, and says what it removed.

import type { Logger } from 'pino';
import type { Store } from '../store/types.js';

const HOUR = 3_600_000;

/**
 * Looks at once and then every hour.
 * @returns ends it
 */
export function keepHouse(
  store: Store,
  keep: { readonly days: number; readonly gigabytes: number },
  logger: Logger,
): () => void {
  const look = () =>
    store.retain(keep.days, keep.gigabytes, Date.now()).then(
      (removed) => {
        if (removed.generations > 0) logger.info({ ...removed }, 'removed the oldest generations');
      },
      (err: unknown) => logger.error({ err }, 'could not remove old generations'),
    );
  void look();
  const timer = setInterval(() => void look(), HOUR).unref();
  return () => clearInterval(timer);
}
