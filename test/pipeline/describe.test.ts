// What a directory's files say of a model, held against what the loaded model says of itself.

import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { describeModel } from '../../src/pipeline/describe.js';
import { loadModel } from '../../src/pipeline/index.js';
import { readOnnxHeader } from '../../src/pipeline/onnx-header.js';
import { assembleModel } from '../support/models.js';

const HYDROGEN = fileURLToPath(new URL('../../models/hydrogen', import.meta.url));
const FIXTURES = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const TINY = join(FIXTURES, 'tiny-sd');

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true })));
});

async function copyOfTiny(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
  folders.push(folder);
  await cp(TINY, folder, { recursive: true });
  return folder;
}

describe('a sound directory', () => {
  it.each([HYDROGEN, TINY])('%s is what the loaded model says it is', async (directory) => {
    const { facts, problems, bytes } = await describeModel(directory);
    const model = await loadModel(directory, { threads: 1 });
    try {
      expect(problems).toEqual([]);
      expect(model.info).toMatchObject({ ...facts });
      expect(bytes).toBeGreaterThan(500_000);
    } finally {
      await model.dispose();
    }
  });

  it('has a fingerprint that follows its weights', async () => {
    const folder = await copyOfTiny();
    const before = await describeModel(folder);
    expect((await describeModel(TINY)).fingerprint).toBe(before.fingerprint);
    await cp(join(FIXTURES, 'tiny-sd-variants/unet-int64.onnx'), join(folder, 'unet/model.onnx'));
    expect((await describeModel(folder)).fingerprint).not.toBe(before.fingerprint);
  });

  it('may have files that begin with a byte order mark', async () => {
    const folder = await copyOfTiny();
    for (const name of [
      'model_index.json',
      'scheduler/scheduler_config.json',
      'unet/config.json',
    ]) {
      const path = join(folder, name);
      await writeFile(path, `\uFEFF${await readFile(path, 'utf8')}`);
    }
    const { facts, problems } = await describeModel(folder);
    expect(problems).toEqual([]);
    const model = await loadModel(folder, { threads: 1 });
    expect(model.info).toMatchObject({ ...facts });
    await model.dispose();
  });

  it('says the precision of its parts', async () => {
    const folder = await copyOfTiny();
    await cp(join(FIXTURES, 'tiny-sd-variants/unet-fp16.onnx'), join(folder, 'unet/model.onnx'));
    const { facts, parts } = await describeModel(folder);
    expect(facts?.precision).toBe('fp16');
    expect(parts.find(({ name }) => name === 'vae_decoder')?.precision).toBe('fp32');
  });
});

describe('the head of a graph', () => {
  it('names inputs, outputs, and the bytes its weights take beside it', async () => {
    const { inputs, outputs, external } = await readOnnxHeader(join(TINY, 'unet/model.onnx'));
    expect(inputs.map(({ name, type }) => [name, type])).toEqual([
      ['sample', 'float32'],
      ['timestep', expect.any(String)],
      ['encoder_hidden_states', 'float32'],
    ]);
    expect(inputs[0]?.shape).toHaveLength(4);
    expect(outputs.map(({ name }) => name)).toEqual(['out_sample']);
    expect([...external.keys()]).toEqual(['model.onnx_data']);
  });
});

describe('the size of those who name none', () => {
  it.each<[string, object, number, number]>([
    ['as the configuration says', { sample_size: 24 }, 96, 96],
    ['rows and columns', { sample_size: [8, 16] }, 64, 32],
    ['of a time when half was written', { sample_size: 32, _diffusers_version: '0.2.2' }, 256, 256],
    ['of a later time', { sample_size: 32, _diffusers_version: '0.10.0' }, 128, 128],
  ])('is %s', async (_what, change, defaultWidth, defaultHeight) => {
    const folder = await copyOfTiny();
    const path = join(folder, 'unet/config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...config, ...change }));
    expect((await describeModel(folder)).facts).toMatchObject({ defaultWidth, defaultHeight });
    const model = await loadModel(folder, { threads: 1 });
    try {
      expect(model.info).toMatchObject({ defaultWidth, defaultHeight });
    } finally {
      await model.dispose();
    }
  });

  it('is no other than can be painted, and what means nothing in ylem.json is named', async () => {
    const folder = await copyOfTiny();
    await writeFile(join(folder, 'ylem.json'), '{ "width": 100, "Steps": 9 }');
    const { problems, warnings } = await describeModel(folder);
    expect(problems.map(({ message }) => message)).toEqual([
      "The model's ylem.json has a width of 100, which is no multiple of 8.",
    ]);
    expect(warnings.join()).toContain('says Steps, which is no setting; there are steps,');
    await expect(loadModel(folder, { threads: 1 })).rejects.toMatchObject({
      identifier: 'model-setting',
    });
  });
});

describe('a directory at fault', () => {
  const problemsOf = async (directory: string) =>
    (await describeModel(directory)).problems.map(({ identifier, message }) => ({
      identifier,
      message,
    }));

  it('that is not there, or is no model, is named', async () => {
    const [missing] = await problemsOf('/nowhere/at/all');
    expect(missing?.identifier).toBe('model-missing');
    const folder = await mkdtemp(join(tmpdir(), 'ylem-'));
    folders.push(folder);
    expect((await problemsOf(folder))[0]?.message).toBe('The model lacks model_index.json.');
  });

  it.each([
    ['unet/model.onnx', 'The model lacks unet/model.onnx.'],
    ['unet/model.onnx_data', 'The model lacks unet/model.onnx_data, which holds the weights'],
    ['vae_decoder/model.onnx', 'The model lacks vae_decoder/model.onnx.'],
    ['tokenizer/tokenizer.json', 'The model lacks tokenizer/tokenizer.json.'],
    ['scheduler/scheduler_config.json', 'The model lacks scheduler/scheduler_config.json.'],
  ])('that lacks %s names it', async (file, sentence) => {
    const folder = await copyOfTiny();
    await unlink(join(folder, file));
    const [problem] = await problemsOf(folder);
    expect(problem?.identifier).toBe('model-file-missing');
    expect(problem?.message).toContain(sentence);
  });

  it.each(['unet/model.onnx', 'unet/model.onnx_data', 'text_encoder/model.onnx'])(
    'whose %s is cut off says so',
    async (file) => {
      const folder = await copyOfTiny();
      await truncate(join(folder, file), 3000);
      const [problem] = await problemsOf(folder);
      expect(problem?.identifier).toBe('model-file-damaged');
      expect(problem?.message).toContain(file);
      expect(problem?.message).toContain('cut off');
    },
  );

  it('whose graph is something else says so', async () => {
    const folder = await copyOfTiny();
    await writeFile(join(folder, 'unet/model.onnx'), '<html>not found</html>');
    const [problem] = await problemsOf(folder);
    expect(problem?.identifier).toBe('model-file-damaged');
  });

  it('whose files cannot be read says so', async () => {
    const folder = await copyOfTiny();
    // A name that is too long for any file system: it fails for every user, root included.
    const [problem] = await problemsOf(join(folder, 'x'.repeat(300)));
    expect(problem?.identifier).toBe('model-missing');
    await unlink(join(folder, 'unet/model.onnx_data'));
    await symlink('model.onnx_data', join(folder, 'unet/model.onnx_data'));
    const [loop] = await problemsOf(folder);
    expect(loop?.message).toContain('unet/model.onnx_data');
  });

  it('whose files are taken away while it is read is at fault, not the reader', async () => {
    const folder = await copyOfTiny();
    const described = Array.from({ length: 8 }, () => describeModel(folder));
    await rm(folder, { recursive: true });
    for (const { problems, facts } of await Promise.all(described)) {
      expect(problems.length > 0 || facts !== undefined).toBe(true);
    }
    await mkdir(folder); // for the cleaning up
  });

  it.each([
    ['sdxl', 'tokenizer'],
    ['sd3', 'tokenizer_3'],
  ])('of %s that lacks the %s of one of its text encoders names it', async (family, tokenizer) => {
    const folder = await assembleModel(family);
    folders.push(folder);
    expect(await problemsOf(folder)).toEqual([]);
    await rm(join(folder, tokenizer), { recursive: true });
    const [problem] = await problemsOf(folder);
    expect(problem?.message).toContain(`lacks ${tokenizer}/tokenizer.json`);
  });

  it('names everything that is wrong at once', async () => {
    const folder = await copyOfTiny();
    await unlink(join(folder, 'vae_decoder/model.onnx'));
    await unlink(join(folder, 'text_encoder/model.onnx'));
    expect(await problemsOf(folder)).toHaveLength(2);
  });

  it('of another architecture is of no known family', async () => {
    const folder = await copyOfTiny();
    await rename(join(folder, 'unet'), join(folder, 'prior'));
    await mkdir(join(folder, 'transformer'));
    const [problem] = await problemsOf(folder);
    expect(problem?.identifier).toBe('model-unknown-family');
  });
});
