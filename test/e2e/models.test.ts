// Several models through a real bot process: chosen by name, kept by what follows on their pictures,
// checked by their own safety checker.

import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { APIMessage, SandboxInteraction } from '../../src/sandbox/types.js';
import { saveSafetyChecker } from '../support/onnx.js';
import { done, pictures, startWorld, TINY_MODEL, type World } from './support.js';

let world: World | undefined;
const folders: string[] = [];
afterEach(async () => {
  await world?.close();
  world = undefined;
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true, force: true })));
});

/** A directory of models with one in it: the tiny one with other weights. */
async function modelsWith(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ylem-models-'));
  folders.push(folder);
  await cp(TINY_MODEL, join(folder, name), { recursive: true });
  const path = join(folder, name, 'unet/model.onnx_data');
  const weights = await readFile(path);
  for (let i = 0; i < 4000; i += 4) weights.writeFloatLE(weights.readFloatLE(i) + 0.03, i);
  await writeFile(path, weights);
  return folder;
}

async function infotextOf(message: APIMessage): Promise<string> {
  const [file] = pictures(message);
  if (file === undefined) throw new Error('there is no picture');
  const bytes = await world!.sandbox.download(file);
  return /parameters\0([\s\S]*?Version: \w+)/.exec(bytes.toString('latin1'))?.[1] ?? '';
}

/** In the reply itself, or in a private word after one that was acknowledged publicly. */
async function told(interaction: SandboxInteraction, sentence: RegExp): Promise<void> {
  const found = () => interaction.messages().some(({ content }) => sentence.test(content));
  await world!.sandbox.until(found, { what: String(sentence) });
}

test('a model is chosen by its name, and what follows on its pictures stays with it', async () => {
  const folder = await modelsWith('alpha');
  world = await startWorld({ YLEM_MODELS_DIR: folder });
  const user = world.sandbox.user('ada');
  const choices = await user.autocomplete('imagine', 'model', 'al');
  expect(choices.map(({ value }) => value)).toEqual(['alpha']);

  const wish = { prompt: 'a red fox', steps: 6, seed: 3, scheduler: 'DDIM' };
  const usual = await done(await user.command('imagine', wish));
  expect(await infotextOf(usual)).toContain('Model: tiny-sd');
  const other = await done(await user.command('imagine', { ...wish, model: 'alpha' }));
  expect(await infotextOf(other)).toContain('Model: alpha');

  const reroll = await done(await user.click(other, /^reroll:/));
  expect(await infotextOf(reroll)).toContain('Model: alpha');
  const vary = await done(await user.click(other, /^vary:.*:subtle$/));
  expect(await infotextOf(vary)).toContain('Model: alpha');
  const steps = await user.click(other, /^steps:/);
  await steps.waitFor((message) => message.attachments.length === 1);

  const unknown = await user.command('imagine', { ...wish, model: 'nothing' });
  await told(unknown, /nothing.*tiny-sd, alpha/);

  // Gone, it is missed by name; its steps can still be looked at.
  await rename(join(folder, 'alpha'), join(folder, 'renamed'));
  const gone = await user.click(other, /^reroll:/);
  await told(gone, /alpha/);
  const later = await user.click(other, /^steps:/);
  await later.waitFor((message) => message.attachments.length === 1);
  const found = await done(await user.command('imagine', { ...wish, model: 'renamed' }));
  expect(await infotextOf(found)).toContain('Model: renamed');
}, 240_000);

test('a picture that its safety checker flags is blurred, says so, and shows no steps', async () => {
  const folder = await modelsWith('watched');
  await mkdir(join(folder, 'watched/safety_checker'));
  await saveSafetyChecker(join(folder, 'watched/safety_checker/model.onnx'), -9);
  world = await startWorld({ YLEM_MODELS_DIR: folder });
  const user = world.sandbox.user('ada');
  const wish = { prompt: 'a red fox', steps: 6, seed: 3, model: 'watched' };
  const message = await done(await user.command('imagine', wish));
  expect(message.content).toContain('blurred');
  expect(await infotextOf(message)).toContain('Safety checker: flagged');
  const steps = await user.click(message, /^steps:/);
  const told = await steps.waitFor();
  expect(told.content).toContain('steps are not shown');
  expect(told.attachments).toHaveLength(0);
}, 120_000);
