// The progress bar of `ylem imagine`, on terminals of every width and where there is none.

import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress.js';

function terminal(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
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

  it('keeps to one line of a narrow terminal, the numbers before the bar', () => {
    for (const columns of [8, 20, 30, 43, 200]) {
      const out = terminal(true, columns);
      let now = 0;
      const progress = createProgress(out, () => now);
      progress.say('drawing the evolution of a picture');
      for (let step = 0; step <= 150; step++, now += 12_345) progress.update(step, 150);
      for (const line of out.written) {
        const shown = [...line.replace('\r', '').replace('\x1b[K', '')];
        expect(shown.length).toBeLessThan(columns);
      }
      expect(out.written.at(-1)).toContain('150/150'.slice(0, columns - 1));
    }
  });

  it('has room for the whole bar where a terminal does not say how wide it is', () => {
    const out = terminal(true, 0);
    createProgress(out).update(5, 5);
    expect(out.written[0]).toContain(`${'█'.repeat(24)} 5/5`);
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
