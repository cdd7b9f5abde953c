// The store's promise: what it has acknowledged is there after kill -9 at any moment.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { compiledEntry } from '../../src/entry.js';
import { openStore } from '../../src/store/index.js';
import { freshDirectory } from './support.js';

const SCRIPT = fileURLToPath(new URL('./crash-child.mjs', import.meta.url));
const STORE = compiledEntry(new URL('../../src/store/x.ts', import.meta.url).href, './index.js');

/** Runs the child until it has acknowledged `count` things, kills it, and says which they were. */
async function acknowledgedUntilKilled(
  directory: string,
  prefix: string,
  count: number,
): Promise<string[]> {
  const child: ChildProcess = spawn(process.execPath, [SCRIPT, STORE, directory, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines: string[] = [];
  if (child.stdout === null) throw new Error('the child has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    // Between two acknowledgements, or in the middle of a write: whatever the child is at just now.
    if (lines.length === count) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  return lines;
}

test('everything acknowledged before kill -9 is there, with its steps, checkpoint and file', async () => {
  const directory = await freshDirectory();
  const acknowledged: string[] = [];
  // One database is killed again and again: each start finds what all before it have left.
  for (const [round, count] of [1, 2, 9, 40].entries()) {
    acknowledged.push(...(await acknowledgedUntilKilled(directory, `r${round}-`, count)));
    const store = await openStore(directory);
    for (const line of acknowledged) {
      const [what, id = ''] = line.split(' ');
      const found = await store.get(id);
      const number = Number(id.split('-')[1]);
      expect(found, line).toBeDefined();
      if (what === 'stepped') {
        expect(
          (await store.steps(id)).map((step) => step.index),
          line,
        ).toEqual([1, 2]);
        expect((await store.step(id, 2))?.latents, line).toEqual(
          new Uint16Array(4096).fill(number),
        );
        if (found?.state === 'running') expect((await store.checkpoint(id))?.[0], line).toBe(2);
      }
      if (what === 'finished') {
        expect(found, line).toMatchObject({ state: 'done', hasFile: true, infotext: 'i' });
        expect((await store.file(id))?.bytes, line).toEqual(new Uint8Array(50_000).fill(number));
      }
    }
    const unfinished = new Set((await store.unfinished()).map((generation) => generation.id));
    for (const line of acknowledged)
      expect(unfinished.has(line.split(' ')[1] ?? ''), line).toBe(true);
    await store.close();
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(52);
});
