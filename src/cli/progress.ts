// A progress bar for a terminal. Silent where there is none: logs and pipes stay clean.

import { lineRoom, type OutputLike } from './style.js';

/** of the bar, where there is room for it; characters */
const WIDTH = 24;

export interface Progress {
  /** a word on what is being done; no bar yet */
  say(text: string): void;
  /** @param done steps that have ended, 0 to `total` */
  update(done: number, total: number): void;
  /** wipes the line */
  end(): void;
}

export function createProgress(out: OutputLike, now: () => number = () => Date.now()): Progress {
  if (out.isTTY !== true) return { say() {}, update() {}, end() {} };
  let first: { readonly at: number; readonly done: number } | undefined;
  // ESC [ K wipes what a longer line left behind.
  const show = (text: string) => out.write(`\r${[...text].slice(0, lineRoom(out)).join('')}\x1b[K`);
  return {
    say: (text) => void show(text),
    update(done, total) {
      first ??= { at: now(), done };
      const steps = done - first.done;
      const left = steps > 0 ? ((now() - first.at) / steps) * (total - done) : undefined;
      const time =
        left === undefined ? '' : `  ${(left / 1000).toFixed(left < 10_000 ? 1 : 0)} s left`;
      const numbers = `${done}/${total}${time}`;
      // A line that wraps would be left behind at every update: the bar gives way to the numbers.
      const width = Math.max(0, Math.min(WIDTH, lineRoom(out) - numbers.length - 1));
      const filled = Math.round((done / total) * width);
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
      show(width === 0 ? numbers : `${bar} ${numbers}`);
    },
    end: () => void out.write('\r\x1b[K'),
  };
}
