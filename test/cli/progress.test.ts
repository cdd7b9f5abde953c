import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress.js';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, written, write: (text: string) => written.push(text) };
}

describe('the progress bar', () => {
  it('fills, counts steps and estimates the time left on a terminal', () => {
    const out = terminal(true);
    let now = 0;
    const progress = createProgress(out, () => now);
    progress.update(1, 5);
    now = 2000;
    progress.update(2, 5);
    expect(out.written[0]).toMatch(/█░.* 1\/5/);
    expect(out.written[1]).toMatch(/ 2\/5 {2}6\.0 s left/);
    progress.update(5, 5);
    expect(out.written[2]).not.toContain('░');
    progress.end();
    expect(out.written.at(-1)).toBe('\r\x1b[K');
  });

  it('writes nothing where there is no terminal', () => {
    const out = terminal(false);
    const progress = createProgress(out);
    progress.say('loading');
    progress.update(1, 2);
    progress.end();
    expect(out.written).toEqual([]);
  });
});
