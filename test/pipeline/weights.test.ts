// Where a graph's weights may lie: what a stranger's graph names is not read outside its directory.

import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeModel } from '../../src/pipeline/describe.js';
import { modelHash } from '../../src/pipeline/hash.js';
import { loadModel } from '../../src/pipeline/index.js';
import { readOnnxHeader } from '../../src/pipeline/onnx-header.js';
import { upcast } from '../../src/pipeline/upcast.js';
import { addWeight } from '../support/weights.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const TINY = join(FIXTURES, 'tiny-sd');
const POSIX = process.platform !== 'win32';

let folder: string;
let model: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-weights-'));
  model = join(folder, 'model');
  await cp(TINY, model, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const problemsOf = async () =>
  (await describeModel(model)).problems.map(({ identifier, message }) => ({ identifier, message }));
const load = async () => {
  const loaded = await loadModel(model, { threads: 1 });
  await loaded.dispose();
};
const hash = () => modelHash(join(model, 'unet'), join(folder, 'hashes.json'));

/** Whoever opens the model, or only looks at it, says the same. */
async function expectRefused(fault: { identifier: string; message: string }): Promise<void> {
  expect(await problemsOf()).toEqual([fault]);
  await expect(load()).rejects.toMatchObject(fault);
  await expect(hash()).rejects.toMatchObject(fault);
}

describe('weights that a graph names outside the directory', () => {
  it.each([
    '../../foreign.bin',
    '../../../../../../../../dev/zero',
    '/etc/passwd',
    'a/../../../foreign.bin',
    '..\\..\\foreign.bin',
    '',
    '.',
  ])('are not read: %j', async (location) => {
    await writeFile(join(folder, 'foreign.bin'), 'foreign');
    await addWeight(join(model, 'unet/model.onnx'), location);
    await expectRefused({
      identifier: 'model-file-damaged',
      message: `The weights of the model's unet/model.onnx would lie outside the model's directory, in ${JSON.stringify(location)}.`,
    });
  });

  it.each(['text_encoder', 'vae_decoder'])('are not read for its %s either', async (part) => {
    await addWeight(join(model, part, 'model.onnx'), '../../foreign.bin');
    const outside = new RegExp(`${part}/model\\.onnx would lie outside`);
    expect((await problemsOf())[0]?.message).toMatch(outside);
    await expect(load()).rejects.toThrow(outside);
  });

  it('are not read for a graph that is edited in memory before it is opened', async () => {
    const graph = join(model, 'unet/model.onnx');
    await cp(join(FIXTURES, 'tiny-sd-variants/unet-int64.onnx'), graph);
    await load();
    await addWeight(graph, '../../foreign.bin');
    await expect(load()).rejects.toThrow(/unet\/model\.onnx would lie outside/);
  });

  it('are not read into a graph that is made more exact', async () => {
    const graph = join(folder, 'model.onnx');
    await cp(join(FIXTURES, 'tiny-sd-variants/unet-fp16.onnx'), graph);
    for (const file of await readdir(join(model, 'unet')))
      if (file !== 'model.onnx') await cp(join(model, 'unet', file), join(folder, file));
    expect(await upcast(graph)).toBeDefined();
    await addWeight(graph, '../foreign.bin');
    await expect(upcast(graph)).rejects.toThrow(/would lie outside/);
  });

  it.each([
    ['a piece of the graph of its own', { apart: true }],
    ['an entry that has another name before', { keys: ['nothing', 'location'] }],
  ])('are found in %s', async (_, odd) => {
    const graph = join(model, 'unet/model.onnx');
    await addWeight(graph, '../../foreign.bin', odd);
    const { external, inputs } = await readOnnxHeader(graph);
    expect([...external.keys()].sort()).toEqual(['../../foreign.bin', 'model.onnx_data']);
    expect(inputs).toEqual((await readOnnxHeader(join(TINY, 'unet/model.onnx'))).inputs);
  });
});

describe('weights that lie inside', () => {
  it('and are gone are missed in a sentence', async () => {
    await rm(join(model, 'unet/model.onnx_data'));
    await expectRefused({
      identifier: 'model-file-missing',
      message: 'The model lacks unet/model.onnx_data, which holds the weights of unet/model.onnx.',
    });
  });

  it('and are a folder are no weights', async () => {
    await mkdir(join(model, 'unet/more'));
    await addWeight(join(model, 'unet/model.onnx'), 'more');
    await expectRefused({
      identifier: 'model-file-damaged',
      message:
        "The model's unet/more, which holds the weights of unet/model.onnx, is no regular file.",
    });
  });

  it.runIf(POSIX)('and are a device or a pipe are not waited for', async () => {
    await addWeight(join(model, 'unet/model.onnx'), 'more');
    const more = join(model, 'unet/more');
    const noFile = /unet\/more.* is no regular file/;
    await symlink('/dev/zero', more);
    await expect(hash()).rejects.toThrow(noFile);
    await rm(more);
    execFileSync('mkfifo', [more]);
    await expect(hash()).rejects.toThrow(noFile);
    await rename(more, join(model, 'unet/model.onnx'));
    await expect(hash()).rejects.toThrow(/unet\/model\.onnx is no regular file/);
  });

  it('may be named from here', async () => {
    await writeFile(join(model, 'unet/more'), 'more');
    await addWeight(join(model, 'unet/model.onnx'), './more');
    expect(await problemsOf()).toEqual([]);
    await load();
    expect(await hash()).toMatch(/^[0-9a-f]{10}$/);
  });

  it.runIf(POSIX)('may be links to elsewhere, as hub caches have them', async () => {
    const plain = await hash();
    const blobs = join(folder, 'blobs');
    await mkdir(blobs);
    const parts = await readdir(model, { withFileTypes: true });
    for (const { name: part } of parts.filter((entry) => entry.isDirectory())) {
      for (const name of await readdir(join(model, part))) {
        const blob = join(blobs, `${part}-${name}`);
        await rename(join(model, part, name), blob);
        await symlink(relative(join(model, part), blob), join(model, part, name));
      }
    }
    expect(await problemsOf()).toEqual([]);
    await load();
    expect(await hash()).toBe(plain);
  });
});
