// When is a silent engine a dead one? It cannot answer during a model call, and how long such a
// call may last differs a thousandfold between hosts: so the answer is learnt from the calls seen.

export interface WatchdogOptions {
  /** ms of silence that are always allowed, more than 0 */
  readonly stallMs: number;
  /** ms of silence that are allowed while a model is loaded */
  readonly loadMs: number;
}

/** A measured silence is allowed this many times over. */
const MARGIN = 8;
/** First calls compile kernels and map memory: until a run has ended, this many `stallMs`. */
const COLD = 5;

/**
 * Counts the silence of one engine process. It is fed with ticks instead of reading a clock, so
 * that a host that slept (or a bot that was stopped) does not take its own absence for the
 * engine's: a tick counts at most twice its usual length.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  /** ms between ticks */
  readonly tickMs: number;
  /** ms since the last word */
  #silence = 0;
  /** the longest silence that ended with a word, ms, and the work (px) that it was spent on */
  #longest = { milliseconds: 0, work: 1 };
  #loading = true;
  #cold = true;
  /** px of the run in progress */
  #work = 1;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.tickMs = Math.max(20, Math.min(1000, options.stallMs / 4));
  }

  /** ms of silence that are allowed now */
  get allowedMs(): number {
    const { stallMs, loadMs } = this.#options;
    if (this.#loading) return loadMs;
    const growth = Math.max(1, this.#work / this.#longest.work);
    return Math.max(
      this.#cold ? stallMs * COLD : stallMs,
      MARGIN * this.#longest.milliseconds * growth,
    );
  }

  get silenceMs(): number {
    return this.#silence;
  }

  /** @param elapsed ms since the last tick; returns true when the engine has to be given up */
  tick(elapsed: number): boolean {
    this.#silence += Math.min(elapsed, 2 * this.tickMs);
    return this.#silence > this.allowedMs;
  }

  /** the engine said something */
  heard(): void {
    // What loading took says nothing about a model call.
    if (!this.#loading && this.#silence > this.#longest.milliseconds) {
      this.#longest = { milliseconds: this.#silence, work: this.#work };
    }
    this.#silence = 0;
  }

  /** a model is loaded from here on; so it is taken before the first word, too */
  loadBegins(): void {
    this.#loading = true;
  }

  loadEnded(): void {
    this.heard();
    this.#loading = false;
    // The first calls of another model compile its kernels and map its memory.
    this.#cold = true;
  }

  /** @param work px of the run that begins */
  runBegins(work: number): void {
    this.#work = Math.max(1, work);
  }

  runEnded(): void {
    this.#cold = false;
    this.#work = 1;
  }
}
