// `ylem doctor` as a process: what it finds, what it tries, and that nothing it tries takes it down.

import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFinding } from '../../../src/cli/doctor/machine.js';
import type { ThreadsTrial } from '../../../src/cli/doctor/trials.js';
import { runTrial, TrialFailed } from '../../../src/cli/doctor/try.js';
import type { Finding } from '../../../src/cli/doctor/types.js';
import { openDatabase } from '../../../src/store/open.js';
import { loadSqlite } from '../../../src/store/sqlite.js';
import { ylem } from '../../support/command.js';

const TOKEN = 'MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789AB';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-doctor-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Without providers that a machine may have, each of which takes its time. */
const CPU = { YLEM_PROVIDERS: 'cpu' };

async function doctor(env: NodeJS.ProcessEnv = {}, ...args: string[]) {
  const ended = await ylem(folder, { YLEM_SANDBOX_PORT: '0', ...env }, 'doctor', '--json', ...args);
  const { starts, findings } = JSON.parse(ended.stdout) as {
    starts: boolean;
    findings: Finding[];
  };
  const find = (name: string) => findings.filter((each) => each.name === name);
  return { ...ended, starts, findings, find };
}

describe('ylem doctor', () => {
  it('finds all that the bot needs, one line each, and leaves nothing behind', async () => {
    const { status, stderr, starts, findings, find } = await doctor();
    expect({ status, stderr, starts }).toEqual({ status: 0, stderr: '', starts: true });
    for (const name of ['node', 'settings', 'data', 'database', 'images', 'inference', 'cpu'])
      expect(find(name)).toMatchObject([{ mark: 'ok' }]);
    for (const name of ['model', 'memory', 'discord', 'sandbox', 'uploads'])
      expect(find(name)).toMatchObject([{ mark: 'ok' }]);
    // Every provider is told of, with a reason where it does not work.
    for (const name of ['tensorrt', 'cuda', 'webgpu', 'coreml', 'dml']) {
      const [finding] = find(name);
      expect(finding?.mark).toMatch(/^(ok|none)$/);
      expect(finding?.text).toMatch(/\S{2}/);
    }
    expect(findings.filter(({ text }) => text.includes('\n'))).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('on a terminal or in a pipe is one line for each, and a last word', async () => {
    const { stdout, status } = await ylem(folder, CPU, 'doctor');
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.at(-1)).toBe('The bot can start here.');
    const marked = lines.slice(0, -2);
    expect(marked.length).toBeGreaterThan(10);
    for (const line of marked) expect(line).toMatch(/^[✓!✗–] {2}\w+ +\S/);
    expect(stdout).not.toContain('\u001b');
  });

  it('ends with 1 and the sentence where a setting is wrong', async () => {
    const { status, starts, find } = await doctor({ YLEM_ENGINES: '99' });
    expect({ status, starts }).toEqual({ status: 1, starts: false });
    expect(find('settings')).toMatchObject([
      { mark: 'fail', text: expect.stringMatching(/YLEM_ENGINES must be .* 1 to 8/) },
    ]);
  });

  it('names models that are damaged, and a models directory that is not there', async () => {
    const models = join(folder, 'models');
    await mkdir(join(models, 'torn'), { recursive: true });
    await writeFile(join(models, 'torn', 'model_index.json'), '{');
    const torn = await doctor({ ...CPU, YLEM_MODELS_DIR: models });
    expect(torn.starts).toBe(true);
    expect(torn.find('model')).toMatchObject([
      { mark: 'ok' },
      { mark: 'warn', text: expect.stringMatching(/^torn is damaged .*model_index\.json/) },
    ]);
    const absent = await doctor({ ...CPU, YLEM_MODELS_DIR: join(folder, 'modles') });
    expect(absent.starts).toBe(true);
    expect(absent.find('settings')).toMatchObject([
      { mark: 'ok' },
      { mark: 'warn', text: expect.stringMatching(/YLEM_MODELS_DIR names .*modles, which/) },
    ]);
  });

  it.each([['--frob'], ['now']])('%s ends with 2 and one line', async (arg) => {
    const { status, stdout, stderr } = await ylem(folder, {}, 'doctor', arg);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^ylem: [^\n]+\n$/);
  });
});

describe('the data directory and its database', () => {
  it('that is a file is a failure', async () => {
    await writeFile(join(folder, 'data'), '');
    const { status, find } = await doctor(CPU);
    expect(status).toBe(1);
    expect(find('data')).toMatchObject([
      { mark: 'fail', text: expect.stringMatching(/is a file/) },
    ]);
  });

  it.each([
    ['another program', 'PRAGMA application_id = 1; CREATE TABLE t (x)', /of another program/],
    [
      'a newer version',
      'PRAGMA application_id = 0x596c656d; PRAGMA user_version = 9999; CREATE TABLE t (x)',
      /newer version/,
    ],
  ])('of %s is a failure, and is left as it is', async (_, sql, reason) => {
    await mkdir(join(folder, 'data'));
    const file = join(folder, 'data', 'ylem.sqlite');
    const { DatabaseSync } = await loadSqlite();
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
    const before = await readFile(file);
    const { status, find } = await doctor(CPU);
    expect(status).toBe(1);
    expect(find('database')).toMatchObject([{ mark: 'fail', text: expect.stringMatching(reason) }]);
    expect((await readFile(file)).equals(before)).toBe(true);
    expect(await readdir(join(folder, 'data'))).toEqual(['ylem.sqlite']);
  });

  it('that is no database at all is a failure', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'data', 'ylem.sqlite'), 'x'.repeat(5000));
    const { status, find } = await doctor(CPU);
    expect(status).toBe(1);
    expect(find('database')).toMatchObject([
      { mark: 'fail', text: expect.stringMatching(/damaged/) },
    ]);
  });
});

describe('what is tried', () => {
  it('may crash: the doctor goes on and says so', async () => {
    // Stands for a driver that takes its process down.
    const crash = join(folder, 'crash.cjs');
    await writeFile(crash, `if (/"provider":"cpu"/.test(process.argv[2])) process.abort();\n`);
    const { status, find } = await doctor({ ...CPU, NODE_OPTIONS: `--require "${crash}"` });
    expect(status).toBe(1);
    expect(find('cpu')).toMatchObject([
      {
        mark: 'warn',
        text: expect.stringMatching(/took its process down \(SIGABRT\)/),
      },
    ]);
    expect(find('providers')).toMatchObject([{ mark: 'fail' }]);
    // What comes after it is still looked at.
    expect(find('discord')).toMatchObject([{ mark: 'ok' }]);
  });

  it('may hang: it is killed after its time', async () => {
    const hung = runTrial<ThreadsTrial>({ kind: 'threads' }, 1);
    await expect(hung).rejects.toThrow(TrialFailed);
    await expect(hung).rejects.toThrow(/did not answer within/);
  });

  it('gives its outcome', async () => {
    const { threads } = await runTrial<ThreadsTrial>({ kind: 'threads' }, 60_000);
    expect(threads).toBeGreaterThan(0);
  });
});

describe('the model', () => {
  it('that is missing or damaged is a failure that names it', async () => {
    const { status, find } = await doctor({ ...CPU, YLEM_MODEL: join(folder, 'nothing') });
    expect(status).toBe(1);
    expect(find('model')).toMatchObject([{ mark: 'fail', text: expect.stringMatching(/nothing/) }]);
  });
});

describe('Discord and the sandbox', () => {
  async function standIn(status: number, body: unknown) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}`, asked, server };
  }

  it('a token is told to be there, and never shown or sent unasked', async () => {
    const discord = await standIn(200, { username: 'Ylem' });
    try {
      const env = { ...CPU, DISCORD_TOKEN: TOKEN, DISCORD_API_BASE: `${discord.url}/api` };
      const { stdout, find } = await doctor(env);
      expect(find('discord')).toMatchObject([
        { mark: 'ok', text: expect.stringMatching(/a token is set/) },
      ]);
      expect(stdout).not.toContain(TOKEN);
      expect(discord.asked).toEqual([]);
    } finally {
      discord.server.close();
    }
  });

  it.each([
    [200, 'ok', /knows the token: Ylem/],
    [401, 'fail', /refuses DISCORD_TOKEN/],
    [503, 'warn', /status 503$/],
  ] as const)('--online asks about it: %i', async (answer, mark, text) => {
    const discord = await standIn(answer, { username: 'Ylem' });
    try {
      const { stdout, status, find } = await doctor(
        {
          ...CPU,
          DISCORD_TOKEN: TOKEN,
          DISCORD_API_BASE: `${discord.url}/api`,
          HF_ENDPOINT: discord.url,
          YLEM_ATTACHMENT_HOSTS: '127.0.0.1:1',
        },
        '--online',
      );
      expect(find('discord')).toMatchObject([{ mark, text: expect.stringMatching(text) }]);
      expect(status).toBe(mark === 'fail' ? 1 : 0);
      expect(discord.asked).toContain(`/api/v10/users/@me Bot ${TOKEN}`);
      expect(discord.asked).toContain('/api/models?limit=1 undefined');
      expect(stdout).not.toContain(TOKEN);
    } finally {
      discord.server.close();
    }
  });

  it('an address without /api is asked about', async () => {
    const discord = await standIn(404, {});
    try {
      const env = { ...CPU, DISCORD_TOKEN: TOKEN, DISCORD_API_BASE: discord.url };
      const { find } = await doctor({ ...env, HF_ENDPOINT: discord.url }, '--online');
      expect(find('discord')).toMatchObject([
        {
          mark: 'warn',
          text: expect.stringMatching(/status 404; does .* end in \/api\? It is http/),
        },
      ]);
    } finally {
      discord.server.close();
    }
  });

  it('a fixed port that the running bot has is none of its faults', async () => {
    const other = await standIn(200, {});
    const { database } = await openDatabase(join(folder, 'data'));
    try {
      const port = new URL(other.url).port;
      const { starts, find } = await doctor({ ...CPU, YLEM_SANDBOX_PORT: port });
      expect(find('database')).toMatchObject([
        { mark: 'ok', text: expect.stringMatching(/in use/) },
      ]);
      expect(find('sandbox')).toMatchObject([
        { mark: 'ok', text: expect.stringMatching(/bot that is running has it/) },
      ]);
      expect(starts).toBe(true);
    } finally {
      database.close();
      other.server.close();
    }
  });

  it('a fixed port that is taken is a failure', async () => {
    const other = await standIn(200, {});
    try {
      const port = new URL(other.url).port;
      const { status, find } = await doctor({ ...CPU, YLEM_SANDBOX_PORT: port });
      expect(status).toBe(1);
      expect(find('sandbox')).toMatchObject([
        { mark: 'fail', text: expect.stringMatching(/EADDRINUSE/) },
      ]);
    } finally {
      other.server.close();
    }
  });
});

it.each([
  ['20.18.3', 'fail'],
  ['20.19.0', 'ok'],
  ['21.7.3', 'fail'],
  ['22.11.0', 'fail'],
  ['22.12.0', 'ok'],
  ['23.5.0', 'fail'],
  ['24.0.0', 'ok'],
  ['26.1.0', 'ok'],
])('Node %s: %s, as package.json has it', (version, mark) => {
  expect(nodeFinding(version).mark).toBe(mark);
});
