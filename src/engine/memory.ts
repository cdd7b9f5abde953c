// How much memory loaded models take and may take.

import { totalmem } from 'node:os';

/** Of the machine's memory; the rest is the system's, the bot's, and what a run takes in passing. */
const SHARE = 0.6;

/**
 * bytes that loaded models may take where no setting says it: a share of the machine's memory, or of
 * what the process is confined to (a container's limit).
 */
export function usualBudget(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  const total = totalmem();
  return SHARE * (limit > 0 && limit < total ? limit : total);
}

/** bytes as people write them, such as '1.7 GB' */
export function inWords(bytes: number): string {
  return bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(1)} GB`
    : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}
