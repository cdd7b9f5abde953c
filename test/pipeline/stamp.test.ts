// A directory's stamp: the same as long as its files are.

import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stampOf } from '../../src/pipeline/stamp.js';

let root: string;
const file = (name: string) => join(root, name);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ylem-stamp-'));
  await mkdir(file('unet'));
  await writeFile(file('model_index.json'), '{}');
  await writeFile(file('unet/model.onnx'), 'weights');
});
afterEach(() => rm(root, { recursive: true, force: true }));

it('stays as long as nothing is written', async () => {
  expect(await stampOf(root)).toBeDefined();
  expect(await stampOf(root)).toBe(await stampOf(root));
});

it('changes with a file that is replaced by one of the same size and time', async () => {
  const then = new Date(2020, 1, 1);
  await utimes(file('unet/model.onnx'), then, then);
  const before = await stampOf(root);
  await writeFile(file('other'), 'WEIGHTS');
  await utimes(file('other'), then, then);
  await rename(file('other'), file('unet/model.onnx'));
  expect(await stampOf(root)).not.toBe(before);
});

it('changes with a file that comes or goes', async () => {
  const before = await stampOf(root);
  await writeFile(file('unet/config.json'), '{}');
  const added = await stampOf(root);
  expect(added).not.toBe(before);
  await rm(file('unet/config.json'));
  expect(await stampOf(root)).toBe(before);
});

it('is none where it cannot see everything', async () => {
  expect(await stampOf(file('nowhere'))).toBeUndefined();
  await mkdir(file('unet/deeper'));
  expect(await stampOf(root)).toBeUndefined();
});

it('takes no notice of what hub clients keep beside the model', async () => {
  const before = await stampOf(root);
  await mkdir(file('.cache/huggingface/deep'), { recursive: true });
  await writeFile(file('.cache/huggingface/deep/a'), '');
  expect(await stampOf(root)).toBe(before);
});
