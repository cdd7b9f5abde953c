// When npm has started this process: npm's shell takes a signal for itself and passes none on, and
// then nobody is left to end what it started.

/** ms */
const EVERY = 1000;

const { ppid: first } = process;

/** Calls `tell` once, within a second, when the process that npm started this one from has gone. */
export function onParentGone(tell: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === first) return;
    clearInterval(timer);
    tell();
  }, EVERY);
  timer.unref();
}
