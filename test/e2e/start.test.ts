// How a start fails (one sentence that names the fault, exit status 1), and how it goes without a token.

import { cp, mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createSandbox } from '../../src/sandbox/index.js';
import type { Sandbox } from '../../src/sandbox/types.js';
import { spawnBot, TINY_MODEL } from './support.js';

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

async function failure(env: NodeJS.ProcessEnv): Promise<string> {
  const bot = spawnBot({
    DISCORD_TOKEN: sandbox.token,
    DISCORD_API_BASE: sandbox.apiBase,
    YLEM_DATA_DIR: join(directory, 'data'),
    YLEM_MODEL: TINY_MODEL,
    ...env,
  });
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

test('a Discord that is not there', async () => {
  expect(await failure({ DISCORD_API_BASE: 'http://127.0.0.1:9/api' })).toContain('127.0.0.1:9');
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

test('without a token a sandbox starts and its address is printed; SIGTERM ends both', async () => {
  const bot = spawnBot({
    DISCORD_TOKEN: '',
    DISCORD_API_BASE: '',
    YLEM_SANDBOX: '',
    YLEM_SANDBOX_PORT: '0',
    YLEM_DATA_DIR: join(directory, 'without'),
    YLEM_MODEL: TINY_MODEL,
  });
  const address = /http:\/\/127\.0\.0\.1:\d+\//;
  await vi.waitFor(() => expect(bot.output()).toMatch(address), { timeout: 50_000, interval: 50 });
  const url = address.exec(bot.output())?.[0] ?? '';
  expect((await fetch(url)).status).toBe(200);
  expect(await bot.end('SIGTERM')).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
});
