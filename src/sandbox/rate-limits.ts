// Rate limits with Discord's headers: fixed windows, one per route and major parameter.

import { createHash } from 'node:crypto';
import type { SandboxLimits } from './types.js';

export interface Bucket {
  /** calls per window */
  readonly limit: number;
  remaining: number;
  /** ms since the epoch at which the window ends */
  readonly resetAt: number;
  readonly id: string;
}

export class RateLimits {
  readonly #limits: SandboxLimits;
  readonly #windows = new Map<string, Bucket>();

  constructor(limits: SandboxLimits) {
    this.#limits = limits;
  }

  /**
   * Counts a call.
   * @param route the route's pattern and method, which name the bucket
   * @param major what the limit is per: a webhook token, a channel
   * @param tight true for the routes that make and change messages, false for 50 calls a second
   * @returns `limited` is true when the call must be refused
   */
  take(route: string, major: string, tight: boolean): { bucket: Bucket; limited: boolean } {
    const now = Date.now();
    const key = `${route} ${major}`;
    let bucket = this.#windows.get(key);
    if (!bucket || bucket.resetAt <= now) {
      this.#sweep(now);
      const limit = tight ? this.#limits.rateCount : 50;
      const window = tight ? this.#limits.rateWindow : 1000;
      const id = createHash('sha256').update(route).digest('hex').slice(0, 32);
      bucket = { limit, remaining: limit, resetAt: now + window, id };
      this.#windows.set(key, bucket);
    }
    if (bucket.remaining === 0) return { bucket, limited: true };
    bucket.remaining -= 1;
    return { bucket, limited: false };
  }

  #sweep(now: number): void {
    for (const [key, bucket] of this.#windows) if (bucket.resetAt <= now) this.#windows.delete(key);
  }
}

export function rateHeaders(bucket: Bucket): Record<string, string> {
  return {
    'x-ratelimit-limit': String(bucket.limit),
    'x-ratelimit-remaining': String(bucket.remaining),
    'x-ratelimit-reset': (bucket.resetAt / 1000).toFixed(3),
    'x-ratelimit-reset-after': (Math.max(bucket.resetAt - Date.now(), 0) / 1000).toFixed(3),
    'x-ratelimit-bucket': bucket.id,
  };
}
