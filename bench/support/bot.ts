// The real bot as a process of its own, serving a sandbox in this process, with the probe loaded.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createSandbox } from '../../src/sandbox/index.js';
import type { Sandbox } from '../../src/sandbox/types.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The options that `npm start` gives to Node. */
async function nodeOptions(): Promise<string[]> {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  return String(scripts.start)
    .split(' ')
    .filter((word) => word.startsWith('--'));
}

/** What the probe saw of the bot's process since it was last asked. Delays in ms, memory in bytes. */
export interface ProbeReading {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly rss: number;
  readonly heapUsed: number;
}

export interface BenchBot {
  readonly sandbox: Sandbox;
  /** ms from starting the process until its commands can be used */
  readonly startMs: number;
  probe(): Promise<ProbeReading>;
  close(): Promise<void>;
}

/** Starts the bot on a model directory; resolves when it serves commands. */
export async function startBot(model: string): Promise<BenchBot> {
  const sandbox = await createSandbox();
  const directory = await mkdtemp(join(tmpdir(), 'ylem-bench-'));
  const file = join(directory, 'probe.json');
  const probe = ['--import', join(ROOT, 'bench/support/probe.mjs')];
  const options = [...(await nodeOptions()), ...probe];
  const begun = performance.now();
  const child = spawn(process.execPath, [...options, join(ROOT, 'bin/ylem.js'), 'start'], {
    env: {
      ...process.env,
      DISCORD_TOKEN: sandbox.token,
      DISCORD_API_BASE: sandbox.apiBase,
      YLEM_SANDBOX: '0',
      YLEM_MODEL: model,
      YLEM_DATA_DIR: join(directory, 'data'),
      YLEM_ATTACHMENT_HOSTS: `127.0.0.1:${sandbox.port}`,
      YLEM_QUEUE_PER_USER: '100',
      YLEM_QUEUE_TOTAL: '1000',
      YLEM_LOG_LEVEL: 'error',
      YLEM_BENCH_PROBE: file,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await sandbox.ready(['imagine'], { timeout: 60_000 });
  const startMs = performance.now() - begun;
  return {
    sandbox,
    startMs,
    async probe() {
      await rm(file, { force: true });
      child.kill('SIGUSR2');
      for (;;) {
        const text = await readFile(file, 'utf8').catch(() => undefined);
        if (text !== undefined) return JSON.parse(text) as ProbeReading;
        await delay(5);
      }
    },
    async close() {
      await end(child);
      await sandbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}
