// What the store's two threads say to each other.

import { type ErrorContext, UserError } from '../errors.js';
import type { Methods, RemoteMethods } from './methods.js';

export type MethodName = keyof RemoteMethods;

/**
 * `compact` gives up to so many free pages back to the disk and answers how many are left; `close`
 * ends the thread. Both run on their own, outside the transaction that the methods share.
 */
export type Request =
  | {
      readonly number: number;
      readonly method: MethodName;
      readonly args: Parameters<Methods[MethodName]>;
    }
  | { readonly number: number; readonly method: 'compact'; readonly args: readonly [number] }
  | { readonly number: number; readonly method: 'close'; readonly args: readonly [] };

export type Answer =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly error: SentError };

/** The first message of the worker has this number: the database is open, or why not. */
export const OPENED = 0;

/** An error that crosses threads as itself: UserError stays one, a bug keeps its stack. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly user: { readonly identifier: string; readonly context: ErrorContext } | undefined;
}

export function sendError(error: unknown): SentError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const user =
    error instanceof UserError
      ? { identifier: error.identifier, context: error.context }
      : undefined;
  return { name, message, stack, user };
}

export function receiveError({ name, message, stack, user }: SentError): Error {
  if (user !== undefined) return new UserError(user.identifier, message, user.context);
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** The memory that may move to the other thread: whole buffers of the typed arrays in a value. */
export function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value;
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) found.add(buffer);
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) buffersOf(inner, found);
  }
  return found;
}
