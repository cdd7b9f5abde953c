// A table of routes: method, pattern with `:names`, handler.

import type { JsonObject } from './errors.js';
import type { IndexedFile } from './message-body.js';
import type { World } from './world.js';

/** One REST call, after its checks. */
export interface Call {
  readonly world: World;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly files: readonly IndexedFile[];
}

export interface Answer {
  readonly status: number;
  /** undefined: none, for 204 */
  readonly body?: unknown;
}

export interface Route {
  readonly method: string;
  /** `/channels/:channel/messages` */
  readonly pattern: string;
  /** true: the token is in the path and no Authorization header is asked for */
  readonly open?: boolean;
  /** `tight` for calls that make or change messages, `none` for callbacks; 50 a second otherwise */
  readonly rate?: 'tight' | 'none';
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const created = (body: unknown): Answer => ({ status: 201, body });
export const noContent = (): Answer => ({ status: 204 });

/** The value of each `:name`, or undefined when the pattern does not fit. */
export function match(
  pattern: string,
  path: readonly string[],
): Record<string, string> | undefined {
  const parts = pattern.split('/').filter(Boolean);
  if (parts.length !== path.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const value = path[index] as string;
    if (part.startsWith(':')) params[part.slice(1)] = value;
    else if (part !== value) return undefined;
  }
  return params;
}

/** A parameter that the pattern promises. */
export function param(call: Call, name: string): string {
  return call.params[name] as string;
}

export type { JsonObject };
