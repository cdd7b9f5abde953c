// `ylem models pull` as a process against a stand-in for the hub, and what is then in place.

import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseModels } from '../../../src/cli/models/arguments.js';
import { removeModel } from '../../../src/cli/models/directory.js';
import { Hub } from '../../../src/cli/models/hub.js';
import { pull as pullModel } from '../../../src/cli/models/pull.js';
import { createTransfers } from '../../../src/cli/models/transfers.js';
import { loadConfig } from '../../../src/config.js';
import { UserError } from '../../../src/errors.js';
import { type Ended, startYlem, ylem } from '../../support/command.js';
import { filesOf, HubStandIn, TOKEN } from '../../support/hub.js';

const TINY = fileURLToPath(new URL('../../fixtures/models/tiny-sd', import.meta.url));
const bytes = (text: string) => new TextEncoder().encode(text);

let tiny: Record<string, Uint8Array>;
let hub: HubStandIn;
let folder: string;
let models: string;

beforeAll(async () => {
  tiny = await filesOf(TINY);
});
beforeEach(async () => {
  hub = await HubStandIn.start();
  folder = await mkdtemp(join(tmpdir(), 'ylem-pull-'));
  models = join(folder, 'models');
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

const settings = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  HF_ENDPOINT: hub.url,
  YLEM_MODELS_DIR: models,
  ...more,
});

/** The command itself. It takes a second or two to start: most tests call what it calls. */
const pullAsProcess = (...args: string[]) => ylem(folder, settings(), 'models', 'pull', ...args);

/** What `ylem models pull` does, in this process; told as the process would tell it. */
const pull = (...args: string[]) => pullWith({}, ...args);

async function pullWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> {
  let stdout = '';
  try {
    const asked = parseModels(['pull', ...args]);
    if (asked.command !== 'pull') throw new Error('no pull was asked for');
    const transfers = createTransfers({ write: (text) => (stdout += text) });
    const { signal } = new AbortController();
    const own = settings(env);
    const hub = new Hub(own, signal);
    const pulled = await pullModel(asked.request, loadConfig(own), hub, signal, transfers);
    if (!pulled.changed) stdout += 'was there already';
    return { status: 0, stderr: '', stdout };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const status = error.identifier === 'bad-argument' ? 2 : 1;
    return { status, stdout, stderr: `ylem: ${error.message}\n` };
  }
}
const pathsIn = async (directory: string) => Object.keys(await filesOf(directory)).sort();
const hidden = async () => (await readdir(models).catch(() => [])).filter((n) => n[0] === '.');
const visible = async () => (await readdir(models).catch(() => [])).filter((n) => n[0] !== '.');
const done = { status: 0, stderr: '' };

/** A failure of the work, told in one line. */
function expectFailure(ended: Ended, reason: RegExp, status = 1): void {
  expect(ended.stderr).toMatch(/^ylem: [^\n]+\n$/);
  expect(ended.stderr).toMatch(reason);
  expect(ended.status).toBe(status);
}

/** Hashes instead of bytes: a comparison of large arrays, element by element, takes seconds. */
const hashesOf = (files: Record<string, Uint8Array>) =>
  Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      path,
      createHash('sha256').update(content).digest('hex'),
    ]),
  );

/** The files of a pulled model, without the note of where they came from, are these. */
async function expectPulled(name: string, files: Record<string, Uint8Array>): Promise<void> {
  const { 'source.json': _, ...pulled } = await filesOf(join(models, name));
  expect(hashesOf(pulled)).toEqual(hashesOf(files));
}

const flipped = (content: Uint8Array, at: number) =>
  content.map((byte, i) => (i === at ? byte ^ 1 : byte));

/** Begins to pull and waits until the connection stands still after so many bytes of the UNet. */
async function startAndStall(after: number) {
  hub.faults.push({ path: /model\.onnx_data/, times: 1, kind: { stallAfter: after } });
  const running = startYlem(folder, settings(), ['models', 'pull', 'somebody/tiny']);
  const store = join(models, '.partial-somebody--tiny');
  for (;;) {
    const names = await readdir(store).catch(() => []);
    const part = names.find((name) => name.endsWith('.part'));
    if (part !== undefined && hub.stalled > 0 && (await stat(join(store, part))).size >= after)
      return running;
    await pause(10);
  }
}

describe('ylem models pull', () => {
  it('brings a model that then paints', async () => {
    const commit = hub.publish('somebody/tiny', tiny);
    const ended = await pullAsProcess('somebody/tiny');
    expect(ended).toMatchObject(done);
    expect(ended.stdout).toContain(commit.slice(0, 10));
    await expectPulled('somebody--tiny', tiny);
    const directory = join(models, 'somebody--tiny');
    expect(JSON.parse(await readFile(join(directory, 'source.json'), 'utf8'))).toMatchObject({
      hub: hub.url,
      repository: 'somebody/tiny',
      revision: 'main',
      commit,
    });
    expect(await hidden()).toEqual([]);

    const painted = await ylem(
      ...([folder, settings(), 'imagine', 'a fox', '--model', 'somebody/tiny'] as const),
      ...['--out', 'fox.png', '--width', '64', '--height', '64', '--steps', '2', '--seed', '1'],
    );
    expect(painted).toMatchObject(done);
    expect(await sharp(join(folder, 'fox.png')).metadata()).toMatchObject({ width: 64 });
  });

  it('fetches what the pipeline needs and nothing else', async () => {
    const junk = [
      ...['unet/diffusion_pytorch_model.safetensors', 'unet/diffusion_pytorch_model.bin'],
      ...['unet/model_fp16.onnx', 'unet/model_fp16.onnx_data', 'text_encoder/model.safetensors'],
      ...['text_encoder/flax_model.msgpack', 'unet/openvino_model.xml', 'unet/openvino_model.bin'],
      ...['safety_checker/model.onnx', 'safety_checker/config.json', 'vae/model.safetensors'],
      ...['image_encoder/model.onnx', 'model.ckpt', 'images/sample.png', '.gitattributes'],
      ...['feature_extractor/preprocessor_config.json', 'fp16/unet/model.onnx'],
    ];
    const wanted = { ...tiny, 'README.md': bytes('# Tiny'), 'vae/config.json': bytes('{}') };
    hub.publish('somebody/mixed', {
      ...wanted,
      ...Object.fromEntries(junk.map((path) => [path, bytes(`junk of ${path}`)])),
    });
    expect(await pull('somebody/mixed')).toMatchObject(done);
    expect(hub.fetched().filter((path) => !(path in wanted))).toEqual([]);
    await expectPulled('somebody--mixed', wanted);
  });

  it('takes the safety checker when it is asked for', async () => {
    hub.publish('somebody/safe', {
      ...tiny,
      'safety_checker/model.onnx': tiny['vae_decoder/model.onnx']!,
      'feature_extractor/preprocessor_config.json': bytes('{}'),
    });
    expect(await pull('somebody/safe', '--safety-checker')).toMatchObject(done);
    const paths = await pathsIn(join(models, 'somebody--safe'));
    expect(paths).toContain('safety_checker/model.onnx');
    expect(paths).toContain('feature_extractor/preprocessor_config.json');
  });

  it('finds weights by what the graphs say, whatever their files are called', async () => {
    // A name of the same length, so that nothing else in the graph changes.
    const renamed = Buffer.from(tiny['unet/model.onnx']!)
      .toString('latin1')
      .replaceAll('model.onnx_data', 'some.weightsbin');
    const { 'unet/model.onnx_data': weights, ...rest } = tiny;
    hub.publish('somebody/odd', {
      ...rest,
      'unet/model.onnx': Buffer.from(renamed, 'latin1'),
      'unet/some.weightsbin': weights!,
      'unet/model.onnx_data': bytes('of another export'),
    });
    expect(await pull('somebody/odd')).toMatchObject(done);
    expect(await pathsIn(join(models, 'somebody--odd', 'unet'))).toEqual([
      'config.json',
      'model.onnx',
      'some.weightsbin',
    ]);
  });

  it('reads listings of several pages', async () => {
    hub.pageSize = 3;
    hub.publish('somebody/tiny', tiny);
    expect(await pull('somebody/tiny')).toMatchObject(done);
    await expectPulled('somebody--tiny', tiny);
    expect(hub.seen.filter(({ path }) => path.includes('/tree/')).length).toBeGreaterThan(3);
  });

  it('takes a branch, and a model in a folder of its repository', async () => {
    const inside = Object.fromEntries(
      Object.entries(tiny).map(([path, content]) => [`onnx/fp32/${path}`, content]),
    );
    hub.publish('somebody/deep', { 'README.md': bytes('nothing here') });
    const commit = hub.publish('somebody/deep', inside, { branch: 'refs/pr/1' });
    const ended = await pullAsProcess('somebody/deep@refs/pr/1', '--name', 'mine', '--json');
    expect(ended.status).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      name: 'mine',
      directory: join(models, 'mine'),
      commit,
      changed: true,
    });
    await expectPulled('mine', tiny);
  });

  it('asks which one where a repository holds several models', async () => {
    const two = ['fp16', 'fp32'].flatMap((precision) =>
      Object.entries(tiny).map(([path, content]) => [`${precision}/${path}`, content] as const),
    );
    hub.publish('somebody/two', Object.fromEntries(two));
    expectFailure(await pull('somebody/two'), /--folder fp16 or --folder fp32/);
    expect(await pull('somebody/two', '--folder', 'fp16')).toMatchObject(done);
    expect(hub.fetched().every((path) => path.startsWith('fp16/'))).toBe(true);
  });

  it('says when nothing changed, and fetches only what did', async () => {
    hub.publish('somebody/tiny', tiny);
    expect(await pull('somebody/tiny')).toMatchObject(done);
    hub.seen.length = 0;
    const again = await pull('somebody/tiny');
    expect(again).toMatchObject(done);
    expect(again.stdout).toContain('was there already');
    expect(hub.fetched()).toEqual([]);

    const changed = { ...tiny, 'ylem.json': bytes('{ "steps": 7 }') };
    hub.publish('somebody/tiny', changed);
    expect(await pull('somebody/tiny')).toMatchObject(done);
    expect(hub.fetched()).toEqual(['ylem.json']);
    await expectPulled('somebody--tiny', changed);
    expect(await hidden()).toEqual([]);
  });

  it('takes the other folder of a repository in place of the one that was there', async () => {
    const half = { ...tiny, 'unet/model.onnx_data': flipped(tiny['unet/model.onnx_data']!, 1000) };
    const inFolder = (folder: string, files: typeof tiny) =>
      Object.fromEntries(Object.entries(files).map(([path, f]) => [`${folder}/${path}`, f]));
    hub.publish('somebody/two', { ...inFolder('fp32', tiny), ...inFolder('fp16', half) });
    expect(await pull('somebody/two', '--folder', 'fp32')).toMatchObject(done);
    hub.seen.length = 0;
    const other = await pull('somebody/two', '--folder', 'fp16');
    expect(other).toMatchObject(done);
    expect(other.stdout).not.toContain('was there already');
    // What the two have in common need not come again.
    expect(hub.fetched()).toEqual(['fp16/unet/model.onnx_data']);
    await expectPulled('somebody--two', half);
    expect((await pull('somebody/two', '--folder', 'fp16')).stdout).toContain('was there already');
  });

  it('mends a model with one byte that is another', async () => {
    hub.publish('somebody/tiny', tiny);
    await pull('somebody/tiny');
    const data = join(models, 'somebody--tiny/unet/model.onnx_data');
    await writeFile(data, flipped(await readFile(data), 1000));
    hub.seen.length = 0;
    expect((await pull('somebody/tiny')).stdout).not.toContain('was there already');
    expect(hub.fetched()).toEqual(['unet/model.onnx_data']);
    await expectPulled('somebody--tiny', tiny);
  });

  it('can be stopped while it looks over what is there', async () => {
    hub.publish('somebody/tiny', tiny);
    await pull('somebody/tiny');
    const stop = new AbortController();
    const read: string[] = [];
    const transfers = {
      ...createTransfers({ write: () => true }),
      begin: (file: string) => void read.push(file),
      checked: () => stop.abort(new Error('stopped')),
    };
    const asked = { model: { repository: 'somebody/tiny', revision: 'main' } } as const;
    const own = new Hub(settings(), stop.signal);
    const request = { ...asked, safetyChecker: false };
    const again = pullModel(request, loadConfig(settings()), own, stop.signal, transfers);
    await expect(again).rejects.toThrow('stopped');
    expect(read).toHaveLength(1);
    await expectPulled('somebody--tiny', tiny);
  });

  it('gives files of one content a file each', async () => {
    const same = { 'README.md': bytes('one text'), LICENSE: bytes('one text') };
    hub.publish('somebody/tiny', { ...tiny, ...same });
    expect(await pull('somebody/tiny')).toMatchObject(done);
    await expectPulled('somebody--tiny', { ...tiny, ...same });
    await writeFile(join(models, 'somebody--tiny/README.md'), 'another text');
    expect(await readFile(join(models, 'somebody--tiny/LICENSE'), 'utf8')).toBe('one text');
  });

  it('does not mind what else a repository has, however it is called', async () => {
    const odd = ['samples/12:30.png', 'samples/a\\b.png', 'con', 'what is this?.'];
    hub.publish('somebody/odd', {
      ...tiny,
      ...Object.fromEntries(odd.map((path) => [path, bytes('odd')])),
    });
    expect(await pull('somebody/odd')).toMatchObject(done);
    await expectPulled('somebody--odd', tiny);
  });

  it('mends a model that lost or broke a file', async () => {
    hub.publish('somebody/tiny', tiny);
    await pull('somebody/tiny');
    const data = join(models, 'somebody--tiny/unet/model.onnx_data');
    await writeFile(data, 'cut off');
    await rm(join(models, 'somebody--tiny/unet/config.json'));
    hub.seen.length = 0;
    expect(await pull('somebody/tiny')).toMatchObject(done);
    expect(hub.fetched().sort()).toEqual(['unet/config.json', 'unet/model.onnx_data']);
    await expectPulled('somebody--tiny', tiny);
  });
});

describe('a pull that is cut off', () => {
  it('goes on at the byte where the connection dropped', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /model\.onnx_data/, times: 2, kind: { dropAfter: 100_000 } });
    expect(await pull('somebody/tiny')).toMatchObject(done);
    const begins = hub.seen
      .filter(({ server, path }) => server === 'cdn' && path.includes('onnx_data'))
      .map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? 'bytes=0-')?.[1]));
    // What had come was kept: each connection begins behind the one before it.
    expect(begins).toHaveLength(3);
    expect(begins[0]).toBe(0);
    expect(begins[1]).toBeGreaterThan(0);
    expect(begins[2]).toBeGreaterThan(begins[1]!);
    await expectPulled('somebody--tiny', tiny);
  });

  it('by Ctrl-C says how to go on, leaves nothing in place, and goes on', async () => {
    hub.publish('somebody/tiny', tiny);
    const { child, ended } = await startAndStall(200_000);
    child.kill('SIGINT');
    const stopped = await ended;
    expect(stopped.stderr).toBe('ylem: stopped; the same command goes on from here.\n');
    expect(stopped.status).toBe(130);
    expect(await visible()).toEqual([]);

    const listed = await ylem(folder, settings(), 'models', 'list');
    expect(listed.stdout).toContain('somebody--tiny was not pulled to its end');

    hub.seen.length = 0;
    expect(await pull('somebody/tiny')).toMatchObject(done);
    // Only the one file, and only its rest.
    expect(hub.fetched()).toEqual(['unet/model.onnx_data']);
    expect(hub.seen.find(({ server }) => server === 'cdn')?.range).toBe('bytes=200000-515071');
    await expectPulled('somebody--tiny', tiny);
    expect(await hidden()).toEqual([]);
  });

  it('is never glued to another revision', async () => {
    hub.publish('somebody/tiny', tiny);
    const { child, ended } = await startAndStall(100_000);
    child.kill('SIGTERM');
    await ended;
    const other = tiny['unet/model.onnx_data']!.map((byte) => byte ^ 1);
    hub.publish('somebody/tiny', { ...tiny, 'unet/model.onnx_data': other });
    expect(await pull('somebody/tiny')).toMatchObject(done);
    await expectPulled('somebody--tiny', { ...tiny, 'unet/model.onnx_data': other });
    expect(await hidden()).toEqual([]);
  });

  it('by a kill without warning goes on too', async () => {
    hub.publish('somebody/tiny', tiny);
    const { child, ended } = await startAndStall(100_000);
    child.kill('SIGKILL');
    await ended;
    expect(await pull('somebody/tiny')).toMatchObject(done);
    await expectPulled('somebody--tiny', tiny);
  });

  it('begins anew where the server gives no parts of files', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /model\.onnx_data/, times: 1, kind: { dropAfter: 100_000 } });
    hub.faults.push({ path: /model\.onnx_data/, times: 1, kind: 'no-ranges' });
    expect(await pull('somebody/tiny')).toMatchObject(done);
    await expectPulled('somebody--tiny', tiny);
  });

  it('whose part was damaged since comes anew', async () => {
    hub.publish('somebody/tiny', tiny);
    const { child, ended } = await startAndStall(100_000);
    child.kill('SIGINT');
    await ended;
    const store = join(models, '.partial-somebody--tiny');
    const part = (await readdir(store)).find((name) => name.endsWith('.part'))!;
    await writeFile(join(store, part), new Uint8Array(100_000));
    expect(await pull('somebody/tiny')).toMatchObject(done);
    await expectPulled('somebody--tiny', tiny);
  });
});

describe('two pulls at once', () => {
  it('of one model: the second says so and harms nothing', async () => {
    hub.publish('somebody/tiny', tiny);
    const first = await startAndStall(100_000);
    expectFailure(await pullAsProcess('somebody/tiny'), /being pulled by another process/);
    const removed = await ylem(folder, settings(), 'models', 'remove', 'somebody/tiny');
    expectFailure(removed, /being pulled by another process/);
    first.child.kill('SIGINT');
    await first.ended;
    expect(await pull('somebody/tiny')).toMatchObject(done);
  });

  it('of two models do not mind each other', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.publish('somebody/else', tiny);
    const both = await Promise.all([
      pullAsProcess('somebody/tiny'),
      pullAsProcess('somebody/else'),
    ]);
    expect(both).toMatchObject([done, done]);
  });
});

describe('a hub that is busy', () => {
  it.each([429, 500, 503])('with status %i is asked again', async (status) => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /revision/, times: 1, kind: { status, retryAfter: 0 } });
    hub.faults.push({ path: /resolve/, times: 3, kind: { status, retryAfter: 0 } });
    expect(await pull('somebody/tiny')).toMatchObject(done);
    expect(hub.faults.map(({ times }) => times)).toEqual([0, 0]);
  });

  it('for ever is given up with one sentence', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /tree/, times: Infinity, kind: { status: 503, retryAfter: 0 } });
    expectFailure(await pull('somebody/tiny'), /answers with status 503; try again later/);
  });

  it('for longer than one waits is told about at once', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /tree/, times: 1, kind: { status: 429, retryAfter: 3600 } });
    expectFailure(await pull('somebody/tiny'), /asks for fewer requests/);
  });
});

describe('what the hub does not give', () => {
  it('a repository that is not there', async () => {
    const absent = /There is no model no\/body on 127\.0\.0\.1:\d+, or it is private/;
    expectFailure(await pull('no/body'), absent);
    expectFailure(await pullWith({ HF_TOKEN: TOKEN }, 'no/body'), absent);
    expect(await readdir(folder)).toEqual(['models']);
    expect(await readdir(models)).toEqual([]);
  });

  it('a revision that is not there', async () => {
    hub.publish('somebody/tiny', tiny);
    expectFailure(await pull('somebody/tiny@v9'), /no branch, tag or commit "v9"/);
  });

  it('a private model without a token; with one it comes, and the token stays with the hub', async () => {
    hub.publish('somebody/secret', tiny, { access: 'private' });
    expectFailure(await pull('somebody/secret'), /private .*HF_TOKEN/);
    expect(await pullWith({ HF_TOKEN: TOKEN }, 'somebody/secret')).toMatchObject(done);
    const cdn = hub.seen.filter(({ server }) => server === 'cdn');
    expect(cdn.length).toBeGreaterThan(0);
    expect(cdn.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('a gated model before its terms are accepted', async () => {
    hub.publish('somebody/gated', tiny, { access: 'gated' });
    const terms = /is gated: accept its terms on http.*somebody\/gated and set HF_TOKEN/;
    expectFailure(await pull('somebody/gated'), terms);
    expect(await pullWith({ HF_TOKEN: TOKEN }, 'somebody/gated')).toMatchObject(done);
  });

  it('anything by a proxy that forbids it: that is not called gated', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /revision/, times: 1, kind: { status: 403 } });
    const refused = await pull('somebody/tiny');
    expectFailure(refused, /refuses somebody\/tiny with status 403/);
    expect(refused.stderr).not.toContain('gated');
  });

  it('anything to a wrong token, which is never shown', async () => {
    hub.publish('somebody/tiny', tiny);
    const env = settings({ HF_TOKEN: 'hf_wrongSecret' });
    const refused = await ylem(folder, env, 'models', 'pull', 'somebody/tiny');
    expectFailure(refused, /does not accept HF_TOKEN/);
    expect(refused.stderr).not.toContain('wrongSecret');
    const odd = await pullWith({ HF_TOKEN: 'secret' }, 'a/b');
    expectFailure(odd, /HF_TOKEN must be/);
    expect(odd.stderr).not.toContain('secret');
  });

  it('a model without ONNX graphs: it says how to export one', async () => {
    hub.publish('somebody/torch', {
      'model_index.json': tiny['model_index.json']!,
      'unet/diffusion_pytorch_model.safetensors': bytes('weights'),
    });
    expectFailure(
      await pull('somebody/torch'),
      /has no ONNX graphs.*optimum-cli export onnx --model somebody\/torch .*somebody--torch/,
    );
    hub.publish('somebody/torch', tiny, { branch: 'onnx' });
    expectFailure(await pull('somebody/torch'), /pull somebody\/torch@onnx/);
    expect(await readdir(models)).toEqual([]);
  });

  it('a repository that is no pipeline, or lacks a part', async () => {
    hub.publish('somebody/text', { 'config.json': bytes('{}'), 'model.onnx': bytes('x') });
    expectFailure(await pull('somebody/text'), /no diffusers pipeline/);
    const { 'vae_decoder/model.onnx': _, ...torso } = tiny;
    hub.publish('somebody/torso', torso);
    expectFailure(await pull('somebody/torso'), /lacks vae_decoder\/model\.onnx/);
    const { 'unet/model.onnx_data': __, ...empty } = tiny;
    hub.publish('somebody/empty', empty);
    const lost = /keeps its weights in model\.onnx_data, which is not there/;
    expectFailure(await pull('somebody/empty'), lost);
    hub.publish('somebody/short', { ...tiny, 'unet/model.onnx_data': bytes('short') });
    expectFailure(await pull('somebody/short'), /5 bytes, but unet\/model\.onnx needs 515072/);
  });

  it('the right bytes: nothing of it is put in place', async () => {
    hub.publish('somebody/tiny', tiny);
    hub.faults.push({ path: /vae_decoder\/model\.onnx/, times: 1, kind: 'wrong-bytes' });
    expect(await pull('somebody/tiny')).toMatchObject(done);
    hub.publish('somebody/bad', tiny);
    hub.faults.push({ path: /unet\/config\.json/, times: Infinity, kind: 'wrong-bytes' });
    expectFailure(await pull('somebody/bad'), /unet\/config\.json came with another hash/);
    expect(await visible()).toEqual(['somebody--tiny']);
  });

  it('an answer at all, or one that is a web page', async () => {
    hub.faults.push({ path: /revision/, times: 1, kind: 'web-page' });
    expectFailure(await pull('somebody/tiny'), /does not answer like a Hugging Face hub/);
    const odd = await pullWith({ HF_ENDPOINT: 'ftp://example.org' }, 'a/b');
    expectFailure(odd, /HF_ENDPOINT must be/);
  });
});

describe('a hub that is not to be trusted', () => {
  it.each([
    '../../evil',
    '/etc/evil',
    'unet/../../evil',
    'unet\\..\\evil',
    'C:evil',
    'a//x',
    'a\0b',
  ])('cannot write to %j', async (path) => {
    const entry = { type: 'file', path, size: 3, oid: 'a'.repeat(40) };
    hub.publish('somebody/evil', tiny, { extraEntries: [entry] });
    expect(await pull('somebody/evil')).toMatchObject(done);
    expect(hub.fetched().filter((each) => !(each in tiny))).toEqual([]);
    await expectPulled('somebody--evil', tiny);
    expect(await readdir(folder)).toEqual(['models']);
    expect(await readdir(models)).toEqual(['somebody--evil']);
  });

  it('cannot have a model where its folder leads out', async () => {
    const out = Object.keys(tiny).map((path) => {
      return { type: 'file', path: `../../evil/${path}`, size: 3, oid: 'a'.repeat(40) };
    });
    hub.publish('somebody/evil', { 'README.md': bytes('# Evil') }, { extraEntries: out });
    expectFailure(await pull('somebody/evil'), /no diffusers pipeline/);
    expect(hub.fetched()).toEqual([]);
    expect(await readdir(models)).toEqual([]);
  });

  it('cannot lead out by what a graph names', async () => {
    const graph = Buffer.from(tiny['unet/model.onnx']!)
      .toString('latin1')
      .replaceAll('model.onnx_data', '../../../../etc');
    hub.publish('somebody/evil', { ...tiny, 'unet/model.onnx': Buffer.from(graph, 'latin1') });
    expectFailure(await pull('somebody/evil'), /could lie outside its directory/);
    expect(await visible()).toEqual([]);
  });

  it('cannot fill the disk: what does not fit is not begun', async () => {
    const size = 1e15;
    const lfs = { oid: 'a'.repeat(64), size, pointerSize: 130 };
    const entry = { type: 'file', path: 'unet/model.onnx_data', size, oid: 'a'.repeat(40), lfs };
    const { 'unet/model.onnx_data': _, ...rest } = tiny;
    hub.publish('somebody/huge', rest, { extraEntries: [entry] });
    expectFailure(await pull('somebody/huge'), /needs 1\.00 PB more, but .* free/);
    expect(hub.fetched()).toEqual([]);
  });

  it('cannot list what is not there', async () => {
    const entry = { type: 'file', path: 'README.md', size: 3, oid: 'a'.repeat(40) };
    hub.publish('somebody/less', tiny, { extraEntries: [entry] });
    expectFailure(await pull('somebody/less'), /lists a file that it does not have/);
    expect(await visible()).toEqual([]);
  });
});

describe('the models directory', () => {
  it('keeps a model of the same name that came from elsewhere', async () => {
    hub.publish('somebody/tiny', tiny);
    await mkdir(join(models, 'somebody--tiny'), { recursive: true });
    await writeFile(join(models, 'somebody--tiny', 'mine.txt'), 'mine');
    expectFailure(await pull('somebody/tiny'), /already is a model somebody--tiny .*--name/);
    expect(await readdir(join(models, 'somebody--tiny'))).toEqual(['mine.txt']);
    expect(await pull('somebody/tiny', '--name', 'other')).toMatchObject(done);
  });

  it('is freed of what a removal that was cut off has left', async () => {
    hub.publish('somebody/tiny', tiny);
    const left = async () => {
      const aside = join(models, `.removed-${randomUUID()}`);
      await mkdir(join(aside, 'unet'), { recursive: true });
      await writeFile(join(aside, 'unet', 'model.onnx'), 'left over');
    };
    await left();
    expect(await pull('somebody/tiny')).toMatchObject(done);
    expect(await readdir(models)).toEqual(['somebody--tiny']);
    await left();
    await removeModel(loadConfig(settings()), 'somebody/tiny');
    expect(await readdir(models)).toEqual([]);
  });

  it('gives a model back with `remove`, and follows no link', async () => {
    hub.publish('somebody/tiny', tiny);
    await pull('somebody/tiny');
    await mkdir(join(folder, 'elsewhere'));
    await writeFile(join(folder, 'elsewhere', 'keep.txt'), 'keep');
    await symlink(join(folder, 'elsewhere'), join(models, 'linked'));
    const remove = (...names: string[]) => ylem(folder, settings(), 'models', 'remove', ...names);
    const ended = await remove('somebody/tiny', 'linked');
    expect(ended).toMatchObject(done);
    expect(ended.stdout).toMatch(/^somebody\/tiny is removed \(1\.\d+ MB\)\n/);
    expect(await readdir(models)).toEqual([]);
    expect(await readdir(join(folder, 'elsewhere'))).toEqual(['keep.txt']);
    expectFailure(
      await remove('somebody/tiny'),
      /There is no model "somebody\/tiny".*hydrogen comes with Ylem and stays/,
      2,
    );
    expectFailure(await remove('../elsewhere'), /Expected a model's name/, 2);
    expectFailure(await remove('.'), /Expected a model's name/, 2);
  });
});
