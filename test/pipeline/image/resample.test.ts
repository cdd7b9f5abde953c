// Resizing against Pillow's (test/fixtures/guide/make_resample.py).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { middle, resample } from '../../../src/pipeline/image/resample.js';

interface Case {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly stretched: string;
  readonly fitted: string;
}
const CASES = JSON.parse(
  readFileSync(new URL('../../fixtures/guide/resample.json', import.meta.url), 'utf8'),
) as readonly Case[];

/** The pattern of make_resample.py. */
const pattern = (length: number) =>
  Uint8Array.from({ length }, (_, i) => Math.imul(i, 2654435761) >>> 24);

describe('resizing', () => {
  it.each(CASES.map((one) => [one.from.join('x'), one.to.join('x'), one] as const))(
    '%s to %s gives the bytes of Pillow, stretched and cropped',
    (_from, _to, one) => {
      const from = { width: one.from[0], height: one.from[1] };
      const to = { width: one.to[0], height: one.to[1] };
      const rgb = pattern(from.width * from.height * 3);
      const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
      const whole = { left: 0, top: 0, right: from.width, bottom: from.height };
      expect(digest(resample(rgb, from, whole, to))).toBe(one.stretched);
      expect(digest(resample(rgb, from, middle(from, to), to))).toBe(one.fitted);
    },
  );
});
