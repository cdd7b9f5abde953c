// A sandbox in this process and the real bot as a child process, which tests may end as they like.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSandbox } from '../../src/sandbox/index.js';
import type { APIMessage, Sandbox, SandboxInteraction } from '../../src/sandbox/types.js';
import { openapiChecker } from '../support/openapi.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TINY_MODEL = join(ROOT, 'test/fixtures/models/tiny-sd');
const openapi = openapiChecker();
/** How much longer than usual things may take: for a machine that does much else. */
const PATIENCE = Number(process.env.YLEM_TEST_PATIENCE || 1);
export const COMMAND_NAMES = [
  'imagine',
  'reroll',
  'steps',
  'cancel',
  'queue',
  'models',
  'Use as init image',
  'Reroll',
];

export interface BotProcess {
  readonly child: ChildProcess;
  /** everything it wrote */
  output(): string;
  /** resolves with the exit code, or the signal that ended it */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** sends a signal and waits for the end */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

export interface World {
  readonly sandbox: Sandbox;
  readonly dataDirectory: string;
  bot: BotProcess;
  /** another bot process on the same data, once the last has ended; resolves when it serves */
  restart(env?: NodeJS.ProcessEnv): Promise<void>;
  close(): Promise<void>;
}

/** Starts the bot and does not wait for it. */
export function spawnBot(
  env: NodeJS.ProcessEnv,
  stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
): BotProcess {
  const child = spawn(process.execPath, [join(ROOT, 'bin/ylem.js'), 'start'], {
    cwd: tmpdir(), // where no .env of whoever runs the tests is
    env: { ...process.env, YLEM_SANDBOX: '0', YLEM_PROVIDERS: 'cpu', ...env },
    stdio,
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  return {
    child,
    output: () => text,
    exited,
    async end(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
  };
}

/** A sandbox and a bot that is ready to be used. */
export async function startWorld(env: NodeJS.ProcessEnv = {}): Promise<World> {
  const sandbox = await createSandbox();
  const dataDirectory = await mkdtemp(join(tmpdir(), 'ylem-e2e-'));
  const launch = (more: NodeJS.ProcessEnv = {}) =>
    spawnBot({
      DISCORD_TOKEN: sandbox.token,
      DISCORD_API_BASE: sandbox.apiBase,
      YLEM_DATA_DIR: dataDirectory,
      YLEM_MODEL: TINY_MODEL,
      YLEM_ATTACHMENT_HOSTS: `127.0.0.1:${sandbox.port}`,
      ...env,
      ...more,
    });
  const world: World = {
    sandbox,
    dataDirectory,
    bot: launch(),
    async restart(more) {
      await world.bot.exited;
      await sandbox.until(() => !sandbox.online, { what: 'the old bot to be gone' });
      world.bot = launch(more);
      await serving(sandbox, world.bot);
    },
    async close() {
      await world.bot.end('SIGKILL');
      await sandbox.close();
      await rm(dataDirectory, { recursive: true, force: true });
      // Every request that the bot made, where Discord's description of its API is at hand.
      openapi?.checkRequests(sandbox.requests);
    },
  };
  try {
    await serving(sandbox, world.bot);
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}

/** A bot that ends early fails the test with what it said. */
async function serving(sandbox: Sandbox, bot: BotProcess): Promise<void> {
  const failed = bot.exited.then((code) => {
    throw new Error(`the bot ended (${code}) before it served:\n${bot.output()}`);
  });
  await Promise.race([sandbox.ready(COMMAND_NAMES, { timeout: 55_000 * PATIENCE }), failed]);
}

/** Files of finished pictures on a message. */
export function pictures(message: APIMessage | undefined): APIMessage['attachments'] {
  return (message?.attachments ?? []).filter((file) => file.filename.startsWith('ylem-'));
}

export function isDone(message: APIMessage): boolean {
  return pictures(message).length > 0;
}

/** The reply once it shows its final picture. */
export function done(interaction: SandboxInteraction): Promise<APIMessage> {
  return interaction.waitFor(isDone, { what: 'the final picture', timeout: 30_000 * PATIENCE });
}

/** Every finished picture in the channel, by file name: one per generation when all went well. */
export function allPictures(sandbox: Sandbox): string[] {
  return sandbox.messages().flatMap((message) => pictures(message).map((file) => file.filename));
}

/** The ids of a message's buttons and selects. */
export function customIds(message: APIMessage): string[] {
  return [...JSON.stringify(message.components ?? []).matchAll(/"custom_id":"([^"]+)"/g)].map(
    (match) => match[1] ?? '',
  );
}

/** There is a step by now to stop after: until then the button is switched off. */
export function canBeStopped(message: APIMessage): boolean {
  return /"custom_id":"stop:[^"]+"(?![^{}]*"disabled":true)/.test(
    JSON.stringify(message.components ?? []),
  );
}

/** The seed that a finished picture's text tells. */
export function seedOf(message: APIMessage): number {
  return Number(/`(\d+)`/.exec(message.content)?.[1]);
}
