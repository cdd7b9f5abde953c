// `ylem models check` and `list` as processes: what they say of sound and of damaged models.

import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ModelCheck } from '../../../src/cli/models/inspect.js';
import type { ListedModel } from '../../../src/cli/models/list.js';
import { ylem } from '../../support/command.js';
import { filesOf, HubStandIn } from '../../support/hub.js';
import { addWeight } from '../../support/weights.js';

const HYDROGEN = fileURLToPath(new URL('../../../models/hydrogen', import.meta.url));
const FIXTURES = fileURLToPath(new URL('../../fixtures/models/', import.meta.url));
const TINY = join(FIXTURES, 'tiny-sd');

let folder: string;
let models: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-check-'));
  models = join(folder, 'models');
  await mkdir(models);
});
afterEach(() => rm(folder, { recursive: true }));

const env = () => ({ YLEM_MODELS_DIR: models, YLEM_PROVIDERS: 'cpu' });

async function check(...args: string[]) {
  const ended = await ylem(folder, env(), 'models', 'check', '--json', ...args);
  return { ...ended, checked: JSON.parse(ended.stdout) as ModelCheck };
}

async function copyOfTiny(name = 'mine'): Promise<string> {
  const directory = join(models, name);
  await cp(TINY, directory, { recursive: true });
  return directory;
}

describe('ylem models check', () => {
  it('says of a sound model what it is, and that it would run', async () => {
    const { status, stderr, checked } = await check(HYDROGEN);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(checked).toMatchObject({
      name: 'hydrogen',
      runs: true,
      problems: [],
      facts: { family: 'sd', precision: 'fp32', defaultScheduler: 'DDIM', defaultWidth: 256 },
      providers: [{ name: 'cpu', works: true }],
    });
    const unet = checked.parts.find(({ name }) => name === 'unet');
    expect(unet).toMatchObject({ required: true, precision: 'fp32', stored: 'float16', opset: 17 });
    expect(unet?.producer).toMatch(/^pytorch \d/);
    expect(checked.parts.find(({ name }) => name === 'preview_decoder')?.required).toBe(false);
  });

  it('estimates the memory that it then measures', async () => {
    for (const model of [HYDROGEN, TINY]) {
      const { checked, status } = await check(model, '--run');
      expect(status).toBe(0);
      const { memory, measured } = checked;
      expect(measured).toMatchObject({ provider: 'cpu', providersTried: [] });
      for (const ms of [measured!.load, measured!.encode, measured!.step, measured!.decode])
        expect(ms).toBeGreaterThan(0);
      expect(measured!.loadedBytes).toBeLessThanOrEqual(measured!.peakBytes);
      expect(memory!.total).toBe(memory!.weights + memory!.activations + memory!.process);
      // Half to twice: other allocators and sizes of pages count as well.
      expect(memory!.total).toBeGreaterThan(measured!.peakBytes / 2);
      expect(memory!.total).toBeLessThan(measured!.peakBytes * 2);
    }
  });

  it('in words names each part and ends with a verdict', async () => {
    const ended = await ylem(folder, env(), 'models', 'check', TINY);
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    for (const word of ['family', 'sd', 'PNDM', '64x64', 'unet', '619 kB', 'opset 17', 'estimate'])
      expect(ended.stdout).toContain(word);
    expect(ended.stdout.trimEnd().split('\n').at(-1)).toBe('✓ It would run here.');
    expect(ended.stdout).not.toContain('\u001b');
  });

  it('takes the name of a model, and the default model where none is named', async () => {
    await copyOfTiny('somebody--tiny');
    expect((await check('somebody/tiny')).checked.name).toBe('somebody--tiny');
    expect((await check()).checked.name).toBe('hydrogen');
    const { status, stderr } = await ylem(folder, env(), 'models', 'check', 'nowhere');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^ylem: There is no model "nowhere".*somebody--tiny.*\n$/);
  });

  it.each([
    [
      'weights that are cut off',
      (at: string) => truncate(join(at, 'unet/model.onnx_data'), 5000),
      /unet\/model\.onnx_data.*cut off.*515072/,
    ],
    [
      'weights that are gone',
      (at: string) => rm(join(at, 'unet/model.onnx_data')),
      /lacks unet\/model\.onnx_data/,
    ],
    [
      'weights that lie elsewhere',
      (at: string) => addWeight(join(at, 'unet/model.onnx'), '../../../etc/passwd'),
      /weights of the model's unet\/model\.onnx would lie outside/,
    ],
    [
      'a graph that is gone',
      (at: string) => rm(join(at, 'vae_decoder/model.onnx')),
      /lacks vae_decoder\/model\.onnx/,
    ],
    [
      'a graph that is none',
      (at: string) => writeFile(join(at, 'text_encoder/model.onnx'), 'hello'),
      /text_encoder\/model\.onnx/,
    ],
    [
      'a graph that is cut off',
      (at: string) => truncate(join(at, 'text_encoder/model.onnx'), 9000),
      /text_encoder\/model\.onnx is cut off/,
    ],
    [
      'no scheduler',
      (at: string) => rm(join(at, 'scheduler'), { recursive: true }),
      /scheduler_config\.json/,
    ],
    [
      'a scheduler file that is no JSON',
      (at: string) => appendFile(join(at, 'scheduler/scheduler_config.json'), '}'),
      /scheduler_config\.json is no valid JSON/,
    ],
    ['no tokenizer', (at: string) => rm(join(at, 'tokenizer'), { recursive: true }), /tokenizer/],
  ])('%s would not run, and the file is named', async (_, damage, reason) => {
    await damage(await copyOfTiny());
    const { status, checked } = await check('mine');
    expect(status).toBe(1);
    expect(checked.runs).toBe(false);
    expect(checked.problems.join('\n')).toMatch(reason);
  });

  it('names what a scheduler has that is not known', async () => {
    const directory = await copyOfTiny();
    const file = join(directory, 'scheduler/scheduler_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...config, sparkle_factor: 3 }));
    const { status, checked } = await check('mine');
    expect(status).toBe(0);
    expect(checked.warnings.join('\n')).toContain('sparkle_factor');
  });

  it('finds by its hash what has changed since a model was pulled', async () => {
    const hub = await HubStandIn.start();
    try {
      hub.publish('somebody/tiny', await filesOf(TINY));
      const settings = { ...env(), HF_ENDPOINT: hub.url };
      expect((await ylem(folder, settings, 'models', 'pull', 'somebody/tiny')).status).toBe(0);
    } finally {
      await hub.close();
    }
    const whole = await check('somebody/tiny', '--hashes');
    expect(whole.checked).toMatchObject({
      runs: true,
      source: { repository: 'somebody/tiny', revision: 'main' },
    });
    const data = join(models, 'somebody--tiny/unet/model.onnx_data');
    const bytes = await readFile(data);
    bytes[1000]! ^= 1;
    await writeFile(data, bytes);
    // Its size is right, and so is all that can be seen without reading it.
    expect((await check('somebody/tiny')).status).toBe(0);
    const { status, checked } = await check('somebody/tiny', '--hashes');
    expect(status).toBe(1);
    expect(checked.problems).toEqual([
      expect.stringMatching(
        /^unet\/model\.onnx_data is not the hub's file.*ylem models pull somebody\/tiny/,
      ),
    ]);
  });

  it('says the whole command that mends a pulled model', async () => {
    const hub = await HubStandIn.start();
    try {
      const files = Object.entries(await filesOf(TINY));
      const both = ['fp16', 'fp32'].flatMap((folder) =>
        files.map(([path, content]) => [`onnx/${folder}/${path}`, content]),
      );
      hub.publish('somebody/two', Object.fromEntries(both));
      const settings = { ...env(), HF_ENDPOINT: hub.url };
      const pull = ['models', 'pull', 'somebody/two', '--name', 'mine', '--folder', 'onnx/fp16'];
      expect(await ylem(folder, settings, ...pull)).toMatchObject({ status: 0, stderr: '' });
      const data = join(models, 'mine/unet/model.onnx_data');
      const whole = await readFile(data);
      await writeFile(
        data,
        whole.map((byte, i) => (i === 1000 ? byte ^ 1 : byte)),
      );
      const [problem = ''] = (await check('mine', '--hashes')).checked.problems;
      const said = /; ylem (models pull .+) mends it\.$/.exec(problem)?.[1] ?? '';
      expect(said.split(' ')).toEqual(pull);
      expect(await ylem(folder, settings, ...said.split(' '))).toMatchObject({ status: 0 });
      expect((await readFile(data)).equals(whole)).toBe(true);
    } finally {
      await hub.close();
    }
  });

  it('--run paints with a model that paints into a picture only', async () => {
    const graph = join(FIXTURES, 'tiny-sd-variants/unet-inpaint.onnx');
    await cp(graph, join(await copyOfTiny('inpaint'), 'unet/model.onnx'));
    const { status, checked } = await check('inpaint', '--run');
    expect(checked.problems).toEqual([]);
    expect(status).toBe(0);
    expect(checked.measured?.step).toBeGreaterThan(0);
  });
});

describe('ylem models list', () => {
  it('has the embedded model, those in the directory, and says what is wrong with them', async () => {
    await copyOfTiny('good');
    await rm(join(await copyOfTiny('bad'), 'unet/model.onnx'));
    await mkdir(join(models, '.hidden'));
    await writeFile(join(models, 'notes.txt'), 'no model');
    const ended = await ylem(folder, env(), 'models', 'list', '--json');
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    const listed = JSON.parse(ended.stdout) as { models: ListedModel[]; directory: string };
    expect(listed.directory).toBe(models);
    expect(listed.models.map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ['hydrogen', true],
      ['bad', false],
      ['good', false],
    ]);
    expect(listed.models[1]?.fault).toMatch(/unet\/model\.onnx/);
    expect(listed.models[2]).toMatchObject({ family: 'sd', precision: 'fp32' });
    expect(listed.models[2]?.fault).toBeUndefined();

    const words = await ylem(
      folder,
      { ...env(), YLEM_MODEL: join(models, 'good') },
      'models',
      'list',
    );
    expect(words.stdout).toMatch(/^ {2}.*hydrogen .*sd fp32/m);
    expect(words.stdout).toMatch(/^ .*bad .*damaged.*unet\/model\.onnx/m);
    expect(words.stdout).toMatch(/^\* .*good /m);
  });
});

describe('ylem models', () => {
  it('--help names its commands', async () => {
    const { stdout, status } = await ylem(folder, {}, 'models', '--help');
    expect(status).toBe(0);
    for (const word of ['list', 'pull', 'remove', 'check', 'HF_TOKEN'])
      expect(stdout).toContain(word);
  });

  it.each([
    [[]],
    [['buy']],
    [['list', 'x']],
    [['pull']],
    [['pull', 'a', 'b']],
    [['check', '--all']],
  ])('%j ends with status 2 and one line', async (args) => {
    const { stdout, stderr, status } = await ylem(folder, {}, 'models', ...args);
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
    expect(stderr).toMatch(/^ylem: [^\n]+\n$/);
  });
});
