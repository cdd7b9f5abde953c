// How a start fails (one sentence that names the fault, exit status 1), and how it goes without a token.

import { closeSync, existsSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createSandbox } from '../../src/sandbox/index.js';
import type { Sandbox } from '../../src/sandbox/types.js';
import { childrenOf, commandOf } from '../support/processes.js';
import { COMMAND_NAMES, done, spawnBot, TINY_MODEL } from './support.js';

let sandbox: Sandbox;
let directory: string;
beforeAll(async () => {
  sandbox = await createSandbox();
  directory = await mkdtemp(join(tmpdir(), 'ylem-start-'));
});
afterAll(async () => {
  await sandbox?.close();
  await rm(directory, { recursive: true, force: true });
});

/** No Discord at all. */
const WITHOUT = {
  DISCORD_TOKEN: '',
  DISCORD_API_BASE: '',
  YLEM_SANDBOX: '',
  YLEM_SANDBOX_PORT: '0',
  YLEM_MODEL: TINY_MODEL,
};
const ADDRESS = /http:\/\/127\.0\.0\.1:\d+\//;
const WAIT = { timeout: 50_000, interval: 50 };

/** The sandbox of this file for a bot with a data directory of its own. */
const served = (data: string) => ({
  DISCORD_TOKEN: sandbox.token,
  DISCORD_API_BASE: sandbox.apiBase,
  YLEM_DATA_DIR: join(directory, data),
  YLEM_MODEL: TINY_MODEL,
});

async function failure(env: NodeJS.ProcessEnv): Promise<string> {
  const bot = spawnBot({ ...served('data'), ...env });
  expect(await bot.exited).toBe(1);
  const sentences = bot
    .output()
    .split('\n')
    .filter((line) => line.startsWith('ylem: '));
  expect(sentences).toHaveLength(1);
  expect(bot.output()).not.toMatch(/^\s+at /m);
  return sentences[0] ?? '';
}

test('a refused token', async () => {
  expect(await failure({ DISCORD_TOKEN: 'not.a.token' })).toMatch(/DISCORD_TOKEN/);
});

test('connections that are dropped at the start are made anew', async () => {
  sandbox.faults.lostBefore({ method: 'GET', path: /\/gateway\/bot$/, times: 2 });
  sandbox.faults.lostBefore({ method: 'GET', path: /\/commands$/ });
  sandbox.faults.lostBefore({ method: 'PUT', path: /\/commands$/ });
  const bot = spawnBot(served('dropped'));
  try {
    await vi.waitFor(() => expect(bot.output()).toContain('ready'), WAIT);
    const message = await done(await sandbox.user('ada').command('imagine', { steps: 2 }));
    expect(message.attachments).toHaveLength(1);
  } finally {
    sandbox.faults.clear();
    await bot.end();
  }
});

test('a Discord that is not there', async () => {
  expect(await failure({ DISCORD_API_BASE: 'http://127.0.0.1:9/api' })).toContain('127.0.0.1:9');
});

test('an address of Discord that lacks its /api', async () => {
  const base = new URL(sandbox.apiBase).origin;
  expect(await failure({ DISCORD_API_BASE: base })).toMatch(
    /status 404\); does the path of DISCORD_API_BASE end in \/api\? It is http/,
  );
});

test('a model that is not there', async () => {
  expect(await failure({ YLEM_MODEL: join(directory, 'nothing') })).toContain('nothing');
});

test('a model that lacks a file', async () => {
  const model = join(directory, 'lacking');
  await cp(TINY_MODEL, model, { recursive: true });
  await rm(join(model, 'unet', 'model.onnx'));
  expect(await failure({ YLEM_MODEL: model })).toMatch(/unet.model\.onnx/);
});

test('a model that was cut short', async () => {
  const model = join(directory, 'short');
  await cp(TINY_MODEL, model, { recursive: true });
  await truncate(join(model, 'unet', 'model.onnx'), 5000);
  expect(await failure({ YLEM_MODEL: model })).toMatch(/unet.model\.onnx/);
});

test('a model over which the engine dies whenever it is loaded', async () => {
  const die = new URL('../engine/die-loading.mjs', import.meta.url).href;
  const said = await failure({
    NODE_OPTIONS: `--import ${die}`,
    YLEM_TEST_DIE_MODEL: 'tiny-sd',
    YLEM_TEST_DIE_TIMES: '9',
    YLEM_TEST_DIE_MARKER: join(directory, 'died'),
  });
  expect(said).toMatch(/^ylem: The engine process .* 4 times while loading the model\.$/);
}, 120_000);

test('without a token a sandbox starts and its address is printed; SIGTERM ends both', async () => {
  const bot = spawnBot({ ...WITHOUT, YLEM_DATA_DIR: join(directory, 'without') });
  await vi.waitFor(() => expect(bot.output()).toMatch(ADDRESS), WAIT);
  const url = ADDRESS.exec(bot.output())?.[0] ?? '';
  expect((await fetch(url)).status).toBe(200);
  expect(await bot.end('SIGTERM')).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
});

test('a server that the bot is not in', async () => {
  expect(await failure({ DISCORD_GUILD_ID: '123456789012345678' })).toMatch(
    /123456789012345678.*DISCORD_GUILD_ID.*not in it/,
  );
});

test('a Discord that does not take the commands', async () => {
  const fault = sandbox.faults.status({ path: '/commands', times: 100 }, 503);
  expect(await failure({})).toMatch(/did not take the commands.*start the bot again/);
  fault.remove();
});

test('a bot whose log nobody reads any more goes on', async () => {
  const bot = spawnBot(served('unread'));
  await vi.waitFor(() => expect(bot.output()).toContain('"ready"'), WAIT);
  bot.child.stdout?.destroy();
  bot.child.stderr?.destroy();
  // Each of them is a line of the log.
  for (const seed of [1, 2]) {
    const asked = { prompt: 'unheard', steps: 3, seed };
    await done(await sandbox.user('ada').command('imagine', asked));
  }
  expect(await bot.end('SIGTERM')).toBe(0);
});

test.skipIf(!existsSync('/dev/full'))('a bot whose log no disk takes goes on', async () => {
  const full = openSync('/dev/full', 'w');
  const bot = spawnBot(served('full'), ['ignore', full, full]);
  closeSync(full);
  await sandbox.ready(COMMAND_NAMES, { timeout: 55_000 });
  await done(await sandbox.user('ada').command('imagine', { prompt: 'unlogged', steps: 3 }));
  expect(await bot.end('SIGTERM')).toBe(0);
});

test('a second bot on the same data is refused and leaves the sandbox of the first as it is', async () => {
  const data = join(directory, 'twice');
  // There before the bot, with rights for everybody.
  await mkdir(join(data, 'sandbox', 'attachments'), { recursive: true });
  const env = { ...WITHOUT, YLEM_DATA_DIR: data };
  const first = spawnBot(env);
  await vi.waitFor(() => expect(first.output()).toMatch(ADDRESS), WAIT);
  const state = join(data, 'sandbox', 'state.json');
  await vi.waitFor(async () => expect(await readFile(state, 'utf8')).toContain('"imagine"'), WAIT);
  // As a picture that came after the state was written: nobody who reads that knows of it.
  const fresh = join(data, 'sandbox', 'attachments', '1');
  await writeFile(fresh, 'a picture');
  await writeFile(state, '{"later":"than anybody has read"}');

  const second = spawnBot(env);
  expect(await second.exited).toBe(1);
  expect(second.output()).toMatch(/^ylem: .*ylem\.sqlite/m);
  expect(await readFile(fresh, 'utf8')).toBe('a picture');
  expect(await readFile(state, 'utf8')).toContain('later');

  if (process.platform !== 'win32') {
    for (const file of [join(data, 'ylem.sqlite'), join(data, 'ylem.sqlite-wal')])
      expect((await stat(file)).mode & 0o777).toBe(0o600);
  }
  expect(await first.end('SIGTERM')).toBe(0);
}, 120_000);

test('a token that is taken back while the bot runs, or a sandbox that dies, ends the bot', async () => {
  const bot = spawnBot(served('taken'));
  await vi.waitFor(() => expect(bot.output()).toContain('"ready"'), WAIT);
  sandbox.faults.dropSockets(4004);
  expect(await bot.exited).toBe(1);
  expect(bot.output()).toMatch(/^ylem: .*DISCORD_TOKEN is no longer good/m);

  const alone = spawnBot({ ...WITHOUT, YLEM_DATA_DIR: join(directory, 'alone') });
  await vi.waitFor(() => expect(alone.output()).toMatch(ADDRESS), WAIT);
  const [child] = childrenOf(alone.child.pid).filter((pid) => commandOf(pid).includes('sandbox'));
  if (child === undefined) throw new Error('the bot has no sandbox');
  process.kill(child, 'SIGKILL');
  expect(await alone.exited).toBe(1);
  expect(alone.output()).toMatch(/^ylem: The sandbox has ended/m);
}, 120_000);
