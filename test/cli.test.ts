// The `ylem` command as a process: what it writes, and the status it ends with.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleModel } from './support/models.js';

const YLEM = fileURLToPath(new URL('../bin/ylem.js', import.meta.url));
const MODEL = fileURLToPath(new URL('fixtures/models/tiny-sd', import.meta.url));

const GUIDE = fileURLToPath(new URL('fixtures/guide', import.meta.url));
const IMAGE = join(GUIDE, 'image-64x64.png');
const TEXT = join(GUIDE, 'cases.json');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs the command in an empty folder, without the settings of whoever runs the tests. */
async function ylem(...args: string[]) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(YLEM|DISCORD)_/.test(name)),
  );
  const child = spawn(process.execPath, [YLEM, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]);
  return { stdout, stderr, status };
}

const SMALL = ['--model', MODEL, '--width', '64', '--height', '64', '--steps', '4'];

describe('ylem imagine', () => {
  it('paints the same file twice from one seed, with its parameters inside', async () => {
    const args = ['a red fox', ...SMALL, '--seed', '42', '--scheduler', 'ddim'];
    const first = await ylem('imagine', ...args, '--out', 'a.png');
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toContain('seed 42');
    expect((await ylem('imagine', ...args, '--out', 'b.png')).status).toBe(0);

    const bytes = await readFile(join(folder, 'a.png'));
    expect(await readFile(join(folder, 'b.png'))).toEqual(bytes);
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width: 64, height: 64 });
    expect(bytes.includes('Seed: 42')).toBe(true);
    expect(bytes.includes('a red fox')).toBe(true);
  });

  it('--json prints one line with seed, parameters, timings and files', async () => {
    const { stdout, stderr, status } = await ylem(
      ...['imagine', '', ...SMALL, '--out', 'c.png', '--evolution', 'c-steps.webp', '--json'],
      ...['--scheduler', 'EulerDiscreteScheduler', '--guidance', '3'],
    );
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout.trimEnd()).not.toContain('\n');
    const line = JSON.parse(stdout);
    expect(line.seed).toBeGreaterThanOrEqual(0);
    expect(line.parameters).toMatchObject({
      prompt: '',
      seed: line.seed,
      steps: 4,
      guidanceScale: 3,
      width: 64,
      height: 64,
      scheduler: 'Euler',
    });
    expect(line.files).toEqual(['c.png', 'c-steps.webp']);
    const { load, encode, unet, decode, total } = line.timings;
    expect(unet.length).toBeGreaterThanOrEqual(4);
    const parts = load + encode + decode + unet.reduce((a: number, b: number) => a + b, 0);
    expect(parts).toBeLessThanOrEqual(total);
    for (const ms of [load, encode, decode, ...unet]) expect(ms).toBeGreaterThan(0);
  });

  it("--json says the model's own hash, whatever the prompt says of one", async () => {
    const [plain, faked] = await Promise.all(
      ['x', 'x, Model hash: deadbeef, y'].map(async (prompt) => {
        const args = [prompt, ...SMALL, '--steps', '1', '--scheduler', 'DDIM', '--seed', '1'];
        const out = `hash-${prompt.length}.png`;
        const { stdout } = await ylem('imagine', ...args, '--out', out, '--json');
        return JSON.parse(stdout).model.hash;
      }),
    );
    expect(plain).toMatch(/^[0-9a-f]{10}$/);
    expect(faked).toBe(plain);
  });

  it('draws another picture from a random seed each time', async () => {
    const seeds = new Set<string>();
    for (const name of ['d.png', 'e.png']) {
      seeds.add((await ylem('imagine', 'x', ...SMALL, '--out', name)).stdout.split('\n')[0]!);
    }
    expect(seeds.size).toBe(2);
    const [d, e] = await Promise.all(
      ['d.png', 'e.png'].map((name) => readFile(join(folder, name))),
    );
    expect(d).not.toEqual(e);
  });

  it.each([
    ['sheet.png', 'png', 1],
    ['film.webp', 'webp', 4],
    ['film.gif', 'gif', 4],
  ] as const)('--evolution %s is of the kind its ending names', async (name, format, pages) => {
    const { status, stderr } = await ylem(
      ...['imagine', 'x', ...SMALL, '--seed', '1', '--out', 'f.png', '--evolution', name],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const metadata = await sharp(join(folder, name), { pages: -1 }).metadata();
    expect(metadata.format).toBe(format);
    expect(metadata.pages ?? 1).toBeGreaterThanOrEqual(pages);
  });

  it("begins from an image and a mask, at the image's size, the same file each time", async () => {
    const [image, mask] = ['image', 'mask'].map((what) => join(GUIDE, `${what}-96x64.png`));
    const args = ['a red fox', '--model', MODEL, '--steps', '6', '--seed', '5', '--noise', 'nv'];
    args.push('--init', image!, '--mask', mask!, '--strength', '0.5', '--weighting');
    const first = await ylem(
      'imagine',
      ...args,
      '--out',
      'g.png',
      '--evolution',
      'g.webp',
      '--json',
    );
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(first.stdout).parameters).toMatchObject({
      width: 96,
      height: 64,
      strength: 0.5,
      noise: 'nv',
      weighting: true,
    });
    expect((await ylem('imagine', ...args, '--out', 'h.png')).status).toBe(0);
    const bytes = await readFile(join(folder, 'g.png'));
    expect(await readFile(join(folder, 'h.png'))).toEqual(bytes);
    for (const said of [
      'Denoising strength: 0.5',
      'RNG: NV',
      'Inpaint area',
      'Emphasis: Original',
    ]) {
      expect(bytes.includes(said)).toBe(true);
    }
    // Three of six steps: as many frames.
    expect(
      (await sharp(join(folder, 'g.webp'), { pages: -1 }).metadata()).pages,
    ).toBeGreaterThanOrEqual(3);
  });

  // A disk that fills up while it paints: access(2) still says yes to root.
  it.skipIf(process.getuid?.() !== 0 || !existsSync('/proc/self'))(
    'a picture that cannot be written ends with status 1 and one line',
    async () => {
      const { status, stderr } = await ylem('imagine', 'x', ...SMALL, '--out', '/proc/x.png');
      expect(stderr).toBe('ylem: "/proc/x.png" cannot be written (ENOENT).\n');
      expect(status).toBe(1);
    },
  );

  it('leaves no unfinished files behind', async () => {
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.each([
    ['an unknown option', ['x', '--out', 'z.png', '--colour', 'red'], /--colour/],
    ['no --out', ['x'], /--out/],
    ['an unknown scheduler', ['x', '--out', 'z.png', '--scheduler', 'Magic'], /DDIM/],
    ['a size that does not fit', ['x', ...SMALL, '--out', 'z.png', '--width', '63'], /multiple/],
    ['a seed out of range', ['x', '--out', 'z.png', '--seed', '-1'], /4294967295/],
    ['no such model', ['x', '--out', 'z.png', '--model', 'nowhere'], /nowhere/],
    ['no such folder', ['x', '--out', 'no/where/z.png'], /no folder/],
    ['no such image', ['x', '--out', 'z.png', '--init', 'a-none.png'], /--init .*a-none/],
    ['a file that is no image', ['x', '--out', 'z.png', '--init', TEXT], /PNG, JPEG/],
    [
      'a mask that is none',
      ['x', '--out', 'z.png', '--init', IMAGE, '--mask', TEXT],
      /^ylem: The mask/,
    ],
    [
      'a strength that leaves nothing to do',
      [
        'x',
        ...SMALL,
        '--out',
        'z.png',
        '--init',
        IMAGE,
        '--strength',
        '0.1',
        '--scheduler',
        'DDIM',
      ],
      /at least 10 steps/,
    ],
    [
      'a clip skip that the model has not',
      ['x', ...SMALL, '--out', 'z.png', '--clip-skip', '1'],
      /text_encoder/,
    ],
    ['too much weight', ['(x:1e9)((x:9999))', ...SMALL, '--out', 'z.png', '--weighting'], /1000/],
    [
      'a scheduler for another kind of model',
      ['x', ...SMALL, '--out', 'z.png', '--scheduler', 'Flow match Euler'],
      /only for models that predict a flow/,
    ],
    ['a name that no disk takes', ['x', '--out', `${'z'.repeat(300)}.png`], /too long/],
  ])('%s ends with status 2 and one line', async (_, args, reason) => {
    const { status, stdout, stderr } = await ylem('imagine', ...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^ylem: [^\n]+\n$/);
    expect(stderr).toMatch(reason);
    expect(await readdir(folder)).not.toContain('z.png');
  });

  it('a size that only the model itself rules out ends with status 2 and one line', async () => {
    const model = await assembleModel('sd3');
    try {
      const { status, stderr } = await ylem(
        ...['imagine', 'x', '--out', 'z.png', '--model', model, '--width', '256', '--height', '64'],
      );
      expect(stderr).toMatch(/^ylem: [^\n]*at most 128 pixels per side[^\n]*\n$/);
      expect(status).toBe(2);
    } finally {
      await rm(model, { recursive: true });
    }
  });

  it("a scheduler that the model's configuration rules out ends with status 2 where it was named, else with 1", async () => {
    const model = join(folder, 'sample');
    await cp(MODEL, model, { recursive: true });
    const file = join(model, 'scheduler/scheduler_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...config, prediction_type: 'sample' }));
    const painted = (...more: string[]) =>
      ylem('imagine', 'x', '--out', 'z.png', '--model', model, '--steps', '2', ...more);
    const named = await painted('--scheduler', 'Euler a');
    expect(named.stderr).toMatch(/^ylem: [^\n]*prediction_type "sample"[^\n]*\n$/);
    expect(named.status).toBe(2);
    // Without a name for it the model alone is at fault.
    await writeFile(file, JSON.stringify({ ...config, prediction_type: 'guess' }));
    expect((await painted()).status).toBe(1);
  });

  it('a directory that is no model ends with status 1 and one line', async () => {
    const { status, stderr } = await ylem('imagine', 'x', '--out', 'z.png', '--model', folder);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ylem: [^\n]*model_index\.json[^\n]*\n$/);
    expect(stderr).toContain(folder);
  });
});

describe('ylem', () => {
  it.skipIf(!existsSync('/dev/full'))(
    'output that no disk takes ends with status 1 and one line',
    async () => {
      const full = openSync('/dev/full', 'w');
      const child = spawn(process.execPath, [YLEM, '--help'], {
        stdio: ['ignore', full, 'pipe'],
      });
      closeSync(full);
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      expect(await text(child.stderr as Readable)).toBe(
        'ylem: stdout cannot be written (ENOSPC).\n',
      );
      expect(await ended).toBe(1);
    },
  );

  it('help is had of every command, and of none that does not exist', async () => {
    const general = (await ylem('help')).stdout;
    expect(await ylem('help', 'imagine')).toEqual(await ylem('imagine', '--help'));
    expect(await ylem('help', 'models')).toEqual(await ylem('models', '--help'));
    for (const command of ['start', 'sandbox']) {
      expect(await ylem(command, '--help')).toEqual({ stdout: general, stderr: '', status: 0 });
    }
    expect(await ylem('help', 'nope')).toMatchObject({ status: 2, stdout: '' });
  });

  it('--help names the commands, imagine --help its options', async () => {
    const help = await ylem('--help');
    expect(help.status).toBe(0);
    for (const command of ['start', 'sandbox', 'imagine']) expect(help.stdout).toContain(command);
    const more = await ylem('imagine', '--help');
    expect(more.status).toBe(0);
    for (const option of ['--seed', '--evolution', '--json']) expect(more.stdout).toContain(option);
  });

  it('--version prints that of package.json', async () => {
    const { version } = JSON.parse(
      await readFile(new URL('../package.json', import.meta.url), 'utf8'),
    );
    expect(await ylem('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([[['paint']], [[]], [['start', 'now']], [['sandbox', '--fast']]])(
    '%j ends with status 2 and one line',
    async (args) => {
      const { status, stderr } = await ylem(...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^ylem: [^\n]+\n$/);
    },
  );
});
