// The settings: defaults, ranges, the errors that name them, and .env.example, which must agree.

import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadConfig, VARIABLES } from '../src/config.js';
import { UserError } from '../src/errors.js';
import { LIMITS } from '../src/pipeline/parameters.js';
import { ylem } from './support/command.js';

const TOKEN = 'MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789AB';

function errorOf(env: NodeJS.ProcessEnv): UserError {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('these settings were taken');
}

test('an empty environment gives the defaults, with the sandbox and the embedded model', () => {
  expect(loadConfig({})).toEqual({
    discord: { token: undefined, apiBase: 'https://discord.com/api', guildId: undefined },
    dataDirectory: resolve('data'),
    modelDirectory: fileURLToPath(new URL('../models/hydrogen', import.meta.url)),
    modelsDirectory: fileURLToPath(new URL('../models', import.meta.url)),
    modelMemory: undefined,
    safety: 'blur',
    providers: ['cuda', 'webgpu', 'coreml', 'dml', 'cpu'],
    threads: undefined,
    engines: 1,
    sandbox: { enabled: true, port: 4777, portMayDiffer: true },
    attachmentHosts: ['cdn.discordapp.com', 'media.discordapp.net'],
    keep: { days: 30, gigabytes: 5 },
    queue: { perUser: 10, total: 100 },
    most: { steps: 150, side: 2048 },
    promptWeighting: false,
    noise: 'cpu',
    logLevel: 'info',
    warnings: [],
  });
});

test('the settings cannot be changed, at any depth', () => {
  const config = loadConfig({});
  expect(() => Object.assign(config, { engines: 2 })).toThrow(TypeError);
  expect(() => Object.assign(config.queue, { total: 2 })).toThrow(TypeError);
  expect(() => Object.assign(config.providers, { 0: 'cpu' })).toThrow(TypeError);
});

test('what one picture may ask for can be narrowed down from what the pipeline takes', () => {
  expect(loadConfig({}).most).toEqual({ steps: LIMITS.steps.max, side: LIMITS.side.max });
  expect(loadConfig({ YLEM_MAX_STEPS: '30', YLEM_MAX_SIDE: '512' }).most).toEqual({
    steps: 30,
    side: 512,
  });
  const least = {
    YLEM_MAX_STEPS: String(LIMITS.steps.min),
    YLEM_MAX_SIDE: String(LIMITS.side.min),
  };
  expect(loadConfig(least).most).toEqual({ steps: LIMITS.steps.min, side: LIMITS.side.min });
});

test('empty variables and blanks around a value do not count', () => {
  const config = loadConfig({ DISCORD_TOKEN: '  ', YLEM_ENGINES: '', YLEM_KEEP_DAYS: ' 7 ' });
  expect(config.discord.token).toBeUndefined();
  expect(config.engines).toBe(1);
  expect(config.keep.days).toBe(7);
});

test('a token turns the sandbox off, and YLEM_SANDBOX has the last word', () => {
  expect(loadConfig({ DISCORD_TOKEN: TOKEN }).sandbox.enabled).toBe(false);
  expect(loadConfig({ DISCORD_TOKEN: TOKEN, YLEM_SANDBOX: '1' }).sandbox.enabled).toBe(true);
  expect(loadConfig({ DISCORD_TOKEN: TOKEN, YLEM_SANDBOX: '0' }).sandbox.enabled).toBe(false);
  expect(errorOf({ YLEM_SANDBOX: '0' }).message).toContain('DISCORD_TOKEN must be set');
});

test('a port that was asked for is the only one', () => {
  expect(loadConfig({ YLEM_SANDBOX_PORT: '0' }).sandbox).toMatchObject({
    port: 0,
    portMayDiffer: false,
  });
  expect(loadConfig({ YLEM_SANDBOX_PORT: '4777' }).sandbox.portMayDiffer).toBe(false);
});

test.each([
  'https://discord.com/api',
  'https://discord.com/api/',
  'https://discord.com/api/v10',
  'https://discord.com/api/v10/',
])('the API base %s is kept without slash and version', (address) => {
  expect(loadConfig({ DISCORD_API_BASE: address }).discord.apiBase).toBe('https://discord.com/api');
});

test('lists are split at commas, in their order and in lower case', () => {
  const config = loadConfig({
    YLEM_PROVIDERS: ' CPU, webgpu,',
    YLEM_ATTACHMENT_HOSTS: 'CDN.example.org, 127.0.0.1:4777,[::1]:80',
  });
  expect(config.providers).toEqual(['cpu', 'webgpu']);
  expect(config.attachmentHosts).toEqual(['cdn.example.org', '127.0.0.1:4777', '[::1]:80']);
});

test.each([
  ['8', 8e9],
  ['0.5', 5e8],
  ['8GB', 8e9],
  ['8 gb', 8e9],
  ['6000MB', 6e9],
  ['2GiB', 2 ** 31],
  ['8000000000', 8e9],
])('%s of model memory are %d bytes', (text, bytes) => {
  expect(loadConfig({ YLEM_MODEL_MEMORY: text }).modelMemory).toBe(bytes);
});

test('paths are made absolute, and ~ is the home directory', () => {
  const config = loadConfig({ YLEM_DATA_DIR: '~/ylem', YLEM_MODEL: 'models/x' });
  expect(config.dataDirectory).toBe(join(homedir(), 'ylem'));
  expect(config.modelDirectory).toBe(resolve('models/x'));
});

test('a model may be named as `ylem models list` does, where no path of that name is there', async () => {
  const models = await mkdtemp(join(tmpdir(), 'ylem-models-'));
  onTestFinished(() => rm(models, { recursive: true }));
  await mkdir(join(models, 'OWNER--NAME'));
  const named = (model: string) =>
    loadConfig({ YLEM_MODEL: model, YLEM_MODELS_DIR: models }).modelDirectory;
  expect(named('hydrogen')).toBe(loadConfig({}).modelDirectory);
  expect(named('OWNER--NAME')).toBe(join(models, 'OWNER--NAME'));
  expect(named('OWNER/NAME')).toBe(join(models, 'OWNER--NAME'));
  // A path that is there goes before.
  expect(named('test')).toBe(resolve('test'));
  for (const other of ['nothing', './OWNER--NAME', '..']) expect(named(other)).toBe(resolve(other));
});

describe('what is out of range is named with what is allowed', () => {
  test.each([
    ['YLEM_ENGINES', '5x', 'a whole number from 1 to 8'],
    ['YLEM_ENGINES', '0', 'a whole number from 1 to 8'],
    ['YLEM_ENGINES', '9', 'a whole number from 1 to 8'],
    ['YLEM_ENGINES', '1.5', 'a whole number from 1 to 8'],
    ['YLEM_ENGINES', '0x2', 'a whole number from 1 to 8'],
    ['YLEM_ENGINES', '-1', 'a whole number from 1 to 8'],
    ['YLEM_THREADS', '0', 'a whole number from 1 to 256'],
    ['YLEM_SANDBOX', 'yes', '0 or 1'],
    ['YLEM_SANDBOX_PORT', '65536', 'a whole number from 0 to 65535'],
    ['YLEM_KEEP_DAYS', '1e3', 'a whole number from 1 to 36500'],
    ['YLEM_KEEP_GB', '0.05', 'a number from 0.1 to 100000'],
    ['YLEM_KEEP_GB', 'Infinity', 'a number from 0.1 to 100000'],
    ['YLEM_QUEUE_PER_USER', '0', 'a whole number from 1 to 1000'],
    ['YLEM_QUEUE_TOTAL', '10001', 'a whole number from 1 to 10000'],
    [
      'YLEM_PROVIDERS',
      'cuda,tpu',
      'a list with commas of tensorrt, cuda, webgpu, coreml, dml, cpu',
    ],
    ['YLEM_PROMPT_WEIGHTING', 'on', '0 or 1'],
    ['YLEM_NOISE', 'gpu', 'one of cpu, nv'],
    ['YLEM_MAX_STEPS', '151', 'a whole number from 1 to 150'],
    ['YLEM_MAX_SIDE', '63', 'a whole number from 64 to 2048'],
    ['YLEM_PROVIDERS', 'cpu,cpu', 'each at most once'],
    ['YLEM_PROVIDERS', ',', 'a list with commas'],
    ['YLEM_MODEL_MEMORY', '8 apples', 'a size such as 8GB or 6000MB'],
    ['YLEM_MODEL_MEMORY', '-1', 'a size such as 8GB or 6000MB'],
    ['YLEM_MODEL_MEMORY', '9MB', 'from 10MB to 100TB'],
    ['YLEM_SAFETY', 'on', 'one of blur, refuse, off'],
    ['YLEM_ATTACHMENT_HOSTS', 'https://cdn.discordapp.com/', 'host names with commas'],
    ['YLEM_LOG_LEVEL', 'loud', 'one of fatal, error, warn, info, debug, trace, silent'],
    ['DISCORD_API_BASE', 'ftp://discord.com/api', 'an http or https address'],
    ['DISCORD_API_BASE', 'discord.com', 'an http or https address'],
    ['DISCORD_API_BASE', 'https://me:secret@discord.com/api', 'an http or https address'],
    ['DISCORD_GUILD_ID', 'my server', '17 to 20 digits'],
  ])('%s=%s', (name, value, allowed) => {
    const { identifier, message } = errorOf({ [name]: value });
    expect(identifier).toBe('config-invalid');
    expect(message).toContain(`${name} must be`);
    expect(message).toContain(allowed);
    expect(message).toContain(`got "${value}"`);
  });
});

test('every wrong variable is named in one error', () => {
  const { message } = errorOf({ YLEM_ENGINES: '5x', YLEM_LOG_LEVEL: 'loud', YLEM_KEEP_DAYS: '0' });
  expect(message).toMatch(/YLEM_ENGINES .*; .*YLEM_KEEP_DAYS|YLEM_KEEP_DAYS .*; .*YLEM_ENGINES/);
  expect(message).toContain('YLEM_LOG_LEVEL');
});

test('a limit per user above the limit in all is refused', () => {
  expect(errorOf({ YLEM_QUEUE_PER_USER: '11', YLEM_QUEUE_TOTAL: '10' }).message).toContain(
    'YLEM_QUEUE_PER_USER must be at most YLEM_QUEUE_TOTAL, got 11 and 10',
  );
});

test('a wrong token is refused without being shown', () => {
  const { message } = errorOf({ DISCORD_TOKEN: 'Bot hunter2' });
  expect(message).toContain('DISCORD_TOKEN must be a bot token');
  expect(message).not.toContain('hunter2');
});

test.each(['"abc"', "'abc'", '"abc'])('a token in quotes is refused: %s', (token) => {
  expect(errorOf({ DISCORD_TOKEN: token }).message).toContain('without quotes around it');
});

test('what has no effect is told: a Redis address, a setting that does not exist', () => {
  const { warnings } = loadConfig({
    REDIS_URL: 'redis://localhost',
    YLEM_PROVIDER: 'cpu',
    DISCORD_TOKEM: 'x',
    PATH: '/bin',
  });
  expect(warnings).toHaveLength(3);
  expect(warnings[0]).toContain('REDIS_URL is set');
  expect(warnings[1]).toContain('DISCORD_TOKEM is not a setting');
  expect(warnings[2]).toContain('YLEM_PROVIDER is not a setting');
});

test.each([
  ['which does not exist', 'nowhere'],
  ['which is no directory', fileURLToPath(import.meta.url)],
])('a models directory %s is told', (fault, models) => {
  const { warnings } = loadConfig({ YLEM_MODELS_DIR: models });
  expect(warnings).toEqual([
    `YLEM_MODELS_DIR names ${resolve(models)}, ${fault}: no models are offered from there.`,
  ]);
});

describe('.env.example', () => {
  const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const blocks = text
    .split(/\n\s*\n/)
    .map((block) => ({
      block,
      name: /^#?([A-Z_]+)=/m.exec(block)?.[1],
      value: /^#?[A-Z_]+=(.*)$/m.exec(block)?.[1],
    }))
    .filter((entry) => entry.name !== undefined);

  test('has each variable once and no other', () => {
    expect(blocks.map((entry) => entry.name).sort()).toEqual([...VARIABLES].sort());
  });

  test.each(blocks)(
    'explains $name with its default, which is the real one',
    ({ block, name, value }) => {
      expect(block).toMatch(/^# .{20,}/m);
      const stated = /Default: ([^\s;]+)/
        .exec(block.replaceAll('\n# ', ' '))?.[1]
        ?.replace(/[,.]$/, '');
      expect(stated).toBeDefined();
      if (value === '' || value === undefined) return;
      const { warnings: _, ...set } = loadConfig({ [name as string]: value });
      const { warnings: __, ...unset } = loadConfig({});
      // A port that is asked for has no second choice; in all else the value is the default.
      if (name === 'YLEM_SANDBOX_PORT') expect(set.sandbox.port).toBe(unset.sandbox.port);
      else expect(set).toEqual(unset);
    },
  );

  test('states the ranges that the settings have', () => {
    for (const { block, name } of blocks) {
      const range = /\b(\d+(?:\.\d+)?) to (\d+)\b(?! digits)/.exec(block);
      if (range === null) continue;
      const [, low, high] = range;
      expect(() =>
        loadConfig({
          [name as string]: low,
          ...(name === 'YLEM_QUEUE_PER_USER' ? {} : { YLEM_QUEUE_PER_USER: '1' }),
        }),
      ).not.toThrow();
      const total = name === 'YLEM_QUEUE_PER_USER' ? { YLEM_QUEUE_TOTAL: '10000' } : {};
      expect(() => loadConfig({ [name as string]: high, ...total })).not.toThrow();
      expect(() => loadConfig({ [name as string]: String(Number(high) + 1), ...total })).toThrow(
        name,
      );
    }
  });

  test('gives a range for every number', () => {
    const ranged = blocks.filter((entry) => / to \d/.test(entry.block)).map((entry) => entry.name);
    expect(ranged).toEqual(
      expect.arrayContaining(
        VARIABLES.filter((name) => /THREADS|ENGINES|PORT|DAYS|GB|QUEUE|MAX/.test(name)),
      ),
    );
  });
});

describe('.env', () => {
  const bom = '\ufeff';
  const lines = [
    `${bom}YLEM_KEEP_DAYS="12" # quoted`,
    "YLEM_SAFETY='off'",
    'YLEM_NOISE=nv',
    'YLEM_KEEP_GB=none',
  ];
  test.each<[string, (file: string) => Promise<unknown>, RegExp]>([
    [
      'with a byte order mark, quotes and the line ends of Windows is understood',
      (file) => writeFile(file, lines.join('\r\n')),
      // All but the one that is wrong.
      /wrong: YLEM_KEEP_GB must be a number from 0.1 to 100000, got "none"\.$/m,
    ],
    [
      'in UTF-16 is refused, not passed over',
      (file) => writeFile(file, Buffer.from(`${bom}${lines.join('\r\n')}`, 'utf16le')),
      /\.env is not in UTF-8; save it as UTF-8\.$/m,
    ],
    [
      'that cannot be read is refused',
      (file) => mkdir(file),
      /\.env cannot be read \(EISDIR\)\.$/m,
    ],
  ])('%s', async (_what, write, sentence) => {
    const folder = await mkdtemp(join(tmpdir(), 'ylem-env-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await write(join(folder, '.env'));
    const { stderr, status } = await ylem(folder, {}, 'start');
    expect(stderr).toMatch(sentence);
    expect(status).toBe(1);
  });

  test('fills in what is there and empty, and is read by every command', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ylem-env-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, '.env'), 'YLEM_SANDBOX_PORT=99999\nYLEM_KEEP_DAYS=none\n');
    const env = { YLEM_SANDBOX_PORT: ' ', YLEM_KEEP_DAYS: '7' };
    for (const command of [['start'], ['sandbox'], ['models', 'list']]) {
      const { stderr, status } = await ylem(folder, env, ...command);
      expect(stderr).toMatch(/wrong: YLEM_SANDBOX_PORT must be .*, got "99999"\.$/m);
      expect(status).toBe(1);
    }
  });

  test('what it sets without effect is told on stderr', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ylem-env-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, '.env'), 'YLEM_MODLE=hydrogen\n');
    const model = fileURLToPath(new URL('fixtures/models/tiny-sd', import.meta.url));
    const env = { YLEM_PROVIDERS: 'cpu', YLEM_MODEL: model };
    for (const args of [
      ['models', 'list'],
      ['imagine', '', '--out', 'a.png', '--steps', '1'],
    ]) {
      const { stderr, status } = await ylem(folder, env, ...args);
      expect(stderr).toMatch(/^ylem: YLEM_MODLE is not a setting[^\n]*\n$/);
      expect(status).toBe(0);
    }
  });
});
