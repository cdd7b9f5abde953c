// A progress bar for a terminal. Silent where there is none: logs and pipes stay clean.

const WIDTH = 24;

export interface Progress {
  /** a word on what is being done; no bar yet */
  say(text: string): void;
  /** @param done steps that have ended, 0 to `total` */
  update(done: number, total: number): void;
  /** wipes the line */
  end(): void;
}

export interface TerminalLike {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export function createProgress(out: TerminalLike, now: () => number = () => Date.now()): Progress {
  if (out.isTTY !== true) return { say() {}, update() {}, end() {} };
  let first: { readonly at: number; readonly done: number } | undefined;
  // ESC [ K wipes what a longer line left behind.
  const show = (text: string) => out.write(`\r${text}\x1b[K`);
  return {
    say: (text) => void show(text),
    update(done, total) {
      first ??= { at: now(), done };
      const filled = Math.round((done / total) * WIDTH);
      const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
      const steps = done - first.done;
      const left = steps > 0 ? ((now() - first.at) / steps) * (total - done) : undefined;
      const time =
        left === undefined ? '' : `  ${(left / 1000).toFixed(left < 10_000 ? 1 : 0)} s left`;
      show(`${bar} ${done}/${total}${time}`);
    },
    end: () => void out.write('\r\x1b[K'),
  };
}
