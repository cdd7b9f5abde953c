// One engine process as the bot sees it: started, listened to, watched, killed when it is silent.

import { type ChildProcess, fork } from 'node:child_process';
import { compiledEntry } from '../entry.js';
import type { FromEngine, ToEngine } from './protocol.js';
import { Watchdog, type WatchdogOptions } from './watchdog.js';

/** How a process ended. */
export interface ProcessEnd {
  /** the end of a sentence that begins with 'the engine process', such as 'was killed (SIGKILL)' */
  readonly how: string;
  /** the last lines it wrote on stderr, at most 2000 characters */
  readonly lastWords: string;
}

export interface ProcessEvents {
  /** every message but pongs */
  message(message: FromEngine): void;
  /** a line that the process (mostly onnxruntime's native part) wrote on stdout or stderr */
  line(line: string): void;
  /** called once, after the last message */
  end(end: ProcessEnd): void;
}

const LAST_WORDS = 2000;
/** ms that the pipes of a process that has exited may take to run dry */
const DRAIN_MS = 1000;

/**
 * Weights get memory of their own, which glibc gives back when a model is unloaded. Without this a
 * process that had held a model of 880 MB kept 760 to 1020 MB after it; with it 50 MB, and while the
 * model was loaded it held a fifth less. Calls take as long as before (measured on hydrogen's UNet
 * and one of 220M parameters). No other allocator looks at it.
 */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: String(1 << 20) };

export class EngineProcess {
  readonly watchdog: Watchdog;
  readonly #child: ChildProcess;
  readonly #events: ProcessEvents;
  readonly #timer: NodeJS.Timeout;
  /** why it was killed from here, if it was */
  #reason: string | undefined;
  #exit: string | undefined;
  #ended = false;
  /** a ping without its pong; no second one is sent, so that a stopped process's pipe stays empty */
  #pinged = false;
  #lastTick = performance.now();
  #lastWords = '';

  constructor(options: WatchdogOptions, events: ProcessEvents) {
    this.watchdog = new Watchdog(options);
    this.#events = events;
    // Neither is needed there, and a model's files or a picture may find a way into that process.
    const { DISCORD_TOKEN: _bot, HF_TOKEN: _hub, ...env } = process.env;
    this.#child = fork(compiledEntry(import.meta.url, './child.js'), [], {
      env: { ...MALLOC, ...env },
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#follow();
    this.#timer = setInterval(() => this.#tick(), this.watchdog.tickMs);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToEngine): void {
    // A process that has just died reports so by its end; a message to it is nobody's loss.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** SIGKILL, which also ends a process that is stopped or stuck in native code. */
  kill(reason: string): void {
    this.#reason ??= reason;
    this.#child.kill('SIGKILL');
  }

  /** Ends the process and says no more about it. */
  forget(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#child.kill('SIGKILL');
  }

  #follow(): void {
    const child = this.#child;
    let closed = false;
    const settle = () => {
      if (closed && !child.connected) this.#finish();
    };
    child.on('message', (message: FromEngine) => {
      if (this.#ended) return;
      this.watchdog.heard();
      if (message.kind === 'pong') this.#pinged = false;
      else this.#events.message(message);
    });
    child.on('error', (error) => {
      this.#exit ??= `could not be run (${error.message})`;
      if (child.pid === undefined) this.#finish();
    });
    child.on('exit', (code, signal) => {
      this.#exit = signal === null ? `exited with status ${code}` : `was killed (${signal})`;
      setTimeout(() => this.#finish(), DRAIN_MS).unref();
    });
    child.on('disconnect', () => setImmediate(settle));
    child.on('close', () => {
      closed = true;
      setImmediate(settle);
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8');
      stream?.on('data', (text: string) => {
        if (stream === child.stderr) {
          this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
        }
        for (const line of text.split('\n')) {
          if (line.trim() !== '') this.#events.line(line.trimEnd());
        }
      });
    }
  }

  #tick(): void {
    const now = performance.now();
    const elapsed = now - this.#lastTick;
    this.#lastTick = now;
    if (this.watchdog.tick(elapsed)) {
      this.kill(`did not answer for ${(this.watchdog.silenceMs / 1000).toFixed(1)} s`);
    } else if (!this.#pinged) {
      this.#pinged = true;
      this.send({ kind: 'ping' });
    }
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#events.end({
      how: this.#reason ?? this.#exit ?? 'was lost',
      lastWords: this.#lastWords.trim(),
    });
  }
}
