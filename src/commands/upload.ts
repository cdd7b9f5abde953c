// How large a file may be that goes out with a message.

/** bytes left free below the upload limit for the rest of the request */
const MARGIN = 64 * 1024;

/**
 * @param attachmentLimit bytes, as the interaction has it
 * @returns bytes that a file may have
 */
export function largestFile(attachmentLimit: number): number {
  return Math.max(attachmentLimit - MARGIN, MARGIN);
}
