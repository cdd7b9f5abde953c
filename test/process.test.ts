// A bug that nobody caught ends the process, and its log tells no more than may be told.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const src = (file: string) => new URL(`../src/${file}`, import.meta.url).href;

test('what people wrote is not in the log of a bug that nobody caught', async () => {
  const program = `
    import { createLogger } from '${src('log.ts')}';
    import { endOnBugs } from '${src('process.ts')}';
    endOnBugs(createLogger('info'));
    setInterval(() => {}, 1000);
    Promise.reject(Object.assign(new Error('Invalid Form Body'), {
      code: 50035,
      requestBody: { json: { content: 'a secret wish' } },
    }));
  `;
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(await ended).toBe(1);
  expect(stdout).toContain('Invalid Form Body');
  expect(stdout + stderr).not.toContain('secret wish');
});

// Windows tells a process of its first parent for ever.
test.skipIf(process.platform === 'win32')(
  'a bot that npm has started ends in good order when npm has gone',
  async () => {
    const program = `
      import { createLogger } from '${src('log.ts')}';
      import { endOnSignal } from '${src('process.ts')}';
      endOnSignal(createLogger('info'), async () => console.log('closed'));
      setInterval(() => {}, 1000);
      console.log('serving', process.pid);
    `;
    // As npm does: a shell that waits for the program and passes no signal on.
    const shell = spawn(
      'sh',
      ['-c', '"$NODE" --import tsx --input-type=module -e "$PROGRAM" & wait'],
      {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: {
          ...process.env,
          NODE: process.execPath,
          PROGRAM: program,
          npm_lifecycle_event: 'start',
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let said = '';
    shell.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    const closed = new Promise((resolve) => shell.stdout.once('close', resolve));
    await expect.poll(() => said, { timeout: 30_000 }).toMatch(/serving \d+\n/);
    const pid = Number(/serving (\d+)/.exec(said)?.[1]);
    onTestFinished(() => {
      if (!said.includes('closed')) process.kill(pid, 'SIGKILL');
    });
    shell.kill('SIGTERM');
    await closed; // the program held it open as well
    expect(said).toContain('npm, which started the bot, has gone');
    expect(said).toMatch(/closed\n$/);
  },
);
