// Which directory a name or a path means, whatever way leads to it, and what may be removed.

import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { placeOf, places, removeModel } from '../../../src/cli/models/directory.js';
import { embeddedModel, loadConfig } from '../../../src/config.js';

let folder: string;
/** the directory itself, and a link to it */
let [real, link] = ['', ''];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ylem-directory-'));
  [real, link] = [join(folder, 'disk'), join(folder, 'models')];
  await mkdir(join(real, 'foo'), { recursive: true });
  await mkdir(join(real, 'bar'));
  await symlink(real, link);
});
afterEach(() => rm(folder, { recursive: true }));

const config = (YLEM_MODEL: string, YLEM_MODELS_DIR = link) =>
  loadConfig({ YLEM_MODEL, YLEM_MODELS_DIR });
const listed = async (of: ReturnType<typeof config>) =>
  (await places(of)).map(({ name, isDefault }) => (isDefault ? `${name}*` : name));

describe('the model that YLEM_MODEL names', () => {
  it.each([
    ['by the real path, in a models directory that is a link', () => [join(real, 'foo'), link]],
    ['through a link, in the models directory itself', () => [join(link, 'foo'), real]],
  ] as const)('is one of the list, and not removed: %s', async (_, paths) => {
    const settings = config(...(paths() as [string, string]));
    expect(await listed(settings)).toEqual(['hydrogen', 'bar', 'foo*']);
    await expect(removeModel(settings, 'foo')).rejects.toThrow(/YLEM_MODEL names/);
    await expect(removeModel(settings, join(real, 'foo'))).rejects.toThrow(/YLEM_MODEL names/);
    expect((await readdir(real)).sort()).toEqual(['bar', 'foo']);
    await removeModel(settings, join(real, 'bar'));
    expect(await readdir(real)).toEqual(['foo']);
  });

  it('by a link to it is not removed either', async () => {
    await symlink(join(real, 'foo'), join(folder, 'mine'));
    const settings = config(join(folder, 'mine'));
    expect(await listed(settings)).toEqual(['hydrogen', 'bar', 'foo*']);
    await expect(removeModel(settings, 'foo')).rejects.toThrow(/YLEM_MODEL names/);
    expect(await placeOf(settings, join(folder, 'mine'))).toMatchObject({
      name: 'mine',
      isDefault: true,
    });
  });

  it('stays when a link to it goes', async () => {
    await mkdir(join(folder, 'elsewhere'));
    await symlink(join(folder, 'elsewhere'), join(real, 'linked'));
    await removeModel(config(join(folder, 'elsewhere')), 'linked');
    expect((await readdir(real)).sort()).toEqual(['bar', 'foo']);
    expect(await readdir(folder)).toContain('elsewhere');
  });

  it('is in the list when it is not there', async () => {
    expect(await listed(config(join(real, 'lost')))).toEqual(['hydrogen', 'bar', 'foo', 'lost*']);
  });
});

describe('the embedded model', () => {
  it('is listed once where a link leads to the directory that it lies in', async () => {
    const beside = join(embeddedModel(), '..');
    await symlink(beside, join(folder, 'shipped'));
    const settings = loadConfig({ YLEM_MODELS_DIR: join(folder, 'shipped') });
    const found = (await places(settings)).filter(({ name }) => name === 'hydrogen');
    expect(found).toMatchObject([{ embedded: true, isDefault: true }]);
  });

  it('has a second name where somebody gave it one', async () => {
    await symlink(embeddedModel(), join(real, 'second'));
    const settings = loadConfig({ YLEM_MODELS_DIR: real });
    expect(await listed(settings)).toEqual(['hydrogen*', 'bar', 'foo', 'second']);
    expect((await placeOf(settings, 'second')).directory).toBe(join(real, 'second'));
  });
});
