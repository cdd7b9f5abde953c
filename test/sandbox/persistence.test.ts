// What outlives a sandbox: its history, files, commands and tokens; and its life as a child process.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChatInputCommandInteraction } from 'discord.js';
import { expect, onTestFinished, test } from 'vitest';
import { createSandbox } from '../../src/sandbox/sandbox.js';
import { spawnSandbox } from '../../src/sandbox/spawn.js';
import { bot, connect, open, PIXEL } from './support.js';

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ylem-sandbox-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('a history that cannot be read is not written over', async () => {
  const directory = await folder();
  const file = join(directory, 'state.json');
  await mkdir(file);
  await expect(createSandbox({ directory })).rejects.toThrow(
    `The history ${file} cannot be read (EISDIR).`,
  );
});

test('a sandbox that starts again shows its history, and old tokens go on working', async () => {
  const directory = await folder();
  let held: ChatInputCommandInteraction | undefined;
  const { sandbox, client } = await bot(
    async (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      held = interaction;
      await interaction.reply({ content: 'before', files: [{ attachment: PIXEL, name: 'p.png' }] });
    },
    { directory },
  );
  const before = await (await sandbox.user().command('paint', { prompt: 'x' })).waitFor();
  await client.destroy();
  await sandbox.close();

  const again = await open({ directory, port: sandbox.port, fixedPort: true });
  expect(again.commands.map(({ name }) => name)).toEqual(['paint']);
  const [message] = again.messages();
  expect(message).toMatchObject({ id: before.id, content: 'before' });
  // The address from before the restart still holds.
  expect(Buffer.from(await (await fetch(before.attachments[0]?.url ?? '')).arrayBuffer())).toEqual(
    PIXEL,
  );
  const fresh = await connect(again);
  const route = `/webhooks/${again.applicationId}/${held?.token}/messages/@original` as const;
  await fresh.rest.patch(route, { body: { content: 'after' }, auth: false });
  expect(again.messages()[0]?.content).toBe('after');
  const channel = await fresh.channels.fetch(again.channelId);
  const next = channel?.isSendable() ? await channel.send('next') : undefined;
  expect(BigInt(next?.id ?? 0)).toBeGreaterThan(BigInt(before.id));
});

test.each([
  ['cut off', '{"version":1,'],
  ['of another shape', '{"version":1,"messages":{}}'],
  ['nothing', 'null'],
])('a damaged history is put aside: %s', async (_how, text) => {
  const directory = await folder();
  await writeFile(join(directory, 'state.json'), text);
  const sandbox = await open({ directory });
  expect(sandbox.messages()).toEqual([]);
});

test('a taken port is replaced by a free one unless it is fixed', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void blocker.close());
  await new Promise((done) => blocker.once('listening', done));
  const { port } = blocker.address() as { port: number };
  const sandbox = await open({ port });
  expect(sandbox.port).not.toBe(port);
  await expect(createSandbox({ port, fixedPort: true })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await expect(spawnSandbox({ port, fixedPort: true })).rejects.toThrow(`port ${port} is taken`);
});

test('in a process of its own it serves a client and ends when it is closed', async () => {
  const directory = await folder();
  const spawned = await spawnSandbox({ directory });
  onTestFinished(() => spawned.close());
  const response = await fetch(`${spawned.apiBase}/v10/users/@me`, {
    headers: { authorization: `Bot ${spawned.token}` },
  });
  expect(response.status).toBe(200);
  await spawned.close();
  await expect(fetch(spawned.url)).rejects.toThrow();
  const again = await open({ directory });
  expect(again.messages()).toEqual([]);
});

test('the child ends when its parent is killed', async () => {
  const module = new URL('../../dist/sandbox/spawn.js', import.meta.url).href;
  const script = `import { spawnSandbox } from ${JSON.stringify(module)};
    console.log((await spawnSandbox()).url);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const url = await new Promise<string>((done) => {
    parent.stdout.once('data', (data: Buffer) => done(String(data).trim()));
  });
  expect((await fetch(`${url}page/state`)).status).toBe(200);
  parent.kill('SIGKILL');
  const alive = () =>
    fetch(`${url}page/state`).then(
      () => true,
      () => false,
    );
  await expect.poll(alive, { timeout: 10_000 }).toBe(false);
});

test('a sandbox in which nothing happened does not write over what another one did', async () => {
  const directory = await folder();
  const { sandbox, client } = await bot(
    async (interaction) => {
      if (interaction.isChatInputCommand()) await interaction.reply('kept');
    },
    { directory },
  );
  const idle = await createSandbox({ directory });
  await (await sandbox.user().command('paint', { prompt: 'x' })).waitFor();
  await client.destroy();
  await sandbox.close();
  await idle.close();
  expect((await open({ directory })).messages().map(({ content }) => content)).toEqual(['kept']);
});

test('in a process of its own it touches nothing before it is allowed to', async () => {
  const directory = join(await folder(), 'not-yet');
  const allowed = Promise.reject(new Error('not allowed'));
  await expect(spawnSandbox({ directory }, allowed)).rejects.toThrow('not allowed');
  expect(existsSync(directory)).toBe(false);
});
