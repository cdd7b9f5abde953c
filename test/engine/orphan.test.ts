// The engine process must not outlive the bot, however the bot ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { TINY_SD } from '../support/engine.js';

const ENGINE = new URL('../../dist/engine/index.js', import.meta.url).href;

/** A bot that does nothing but paint, and says the pid of its engine process after two steps. */
const BOT = `
  import { createEngine } from ${JSON.stringify(ENGINE)};
  const engine = createEngine({
    modelDirectory: ${JSON.stringify(TINY_SD)}, providers: ['cpu'], threads: 1 });
  await engine.ready;
  const parameters = { prompt: '', negativePrompt: '', seed: 1, steps: 150, guidanceScale: 1,
    width: 64, height: 64 };
  for (let n = 0; ; n++) {
    const job = { id: String(n), parameters, start: { kind: 'noise' }, maxBytes: 1e7 };
    await engine.run(job, {
      onStep: ({ index }) => { if (n === 0 && index === 2) console.log(engine.pid); },
    }).result;
  }
`;

/** Whether a process still runs; a zombie that nobody has buried yet does not. */
async function alive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return !/\) Z /.test(stat);
  } catch {
    return false;
  }
}

it.each(['SIGKILL', 'SIGTERM'] as const)(
  'the engine process ends when the bot ends by %s in mid-run',
  async (signal) => {
    const bot = spawn(process.execPath, ['--input-type=module', '-e', BOT], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await Promise.race([
      once(bot.stdout, 'data'),
      once(bot, 'exit').then(() => Promise.reject(new Error('the bot ended too early'))),
    ])) as [Buffer];
    const pid = Number(line.toString());
    expect(await alive(pid)).toBe(true);
    bot.kill(signal);
    await vi.waitUntil(async () => !(await alive(pid)), { timeout: 20_000 });
  },
);
