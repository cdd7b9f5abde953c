// What the states of a picture offer beside their words.

import { expect, test } from 'vitest';
import {
  donePanel,
  formingPanel,
  type PictureFacts,
  restartingPanel,
  waitingPanel,
} from '../../src/discord/panels.js';
import { textsFor } from '../../src/discord/texts/index.js';

const FACTS: PictureFacts = {
  id: 'gen1',
  prompt: 'a fox',
  negativePrompt: '',
  seed: 1,
  steps: 20,
  guidanceScale: 7,
  width: 64,
  height: 64,
  scheduler: 'Euler',
  model: 'tiny',
  init: undefined,
  branch: undefined,
  beside: undefined,
  unheeded: [],
};
const ids = (body: { readonly components: unknown }) =>
  [...JSON.stringify(body.components).matchAll(/"custom_id":"([^"]+)"/g)].map((match) => match[1]);

test.each(['en-US', 'de', 'fr'])(
  'a reply about to be out of reach offers to be kept (%s)',
  (locale) => {
    const texts = textsFor(locale);
    const place = { ahead: 1, expectedMs: undefined };
    const progress = { index: 2, total: 20, leftMs: 1000, file: undefined };
    expect(ids(waitingPanel(FACTS, place, texts))).toEqual(['cancel:gen1']);
    expect(ids(waitingPanel(FACTS, place, texts, true))).toEqual(['keep:gen1', 'cancel:gen1']);
    expect(waitingPanel(FACTS, place, texts, true).content).toContain(texts.dying);
    const forming = formingPanel(FACTS, progress, texts, true);
    expect(ids(forming)).toEqual(['keep:gen1', 'stop:gen1', 'cancel:gen1']);
    expect(forming.content).toContain(texts.dying);
    expect(formingPanel(FACTS, progress, texts).content).not.toContain(texts.dying);
  },
);

test('a restart tells where a picture stands, keeps its preview and can be found again', () => {
  const texts = textsFor('en-US');
  const file = { name: 'forming-gen1-7.jpeg', type: 'image/jpeg', bytes: new Uint8Array(3) };
  const running = restartingPanel(FACTS, { index: 7, file }, texts);
  expect(running.content).toContain('after step 7');
  expect(running.files).toEqual([file]);
  expect(ids(running)).toEqual(['cancel:gen1']);
  expect(JSON.stringify(running.components)).toContain('"disabled":true');
  expect(restartingPanel(FACTS, undefined, texts).content).toContain('place is kept');
});

test('a picture tells which pieces of its prompt had no effect, three of them, as plain text', () => {
  const file = { name: 'picture-gen1.png', type: 'image/png', bytes: new Uint8Array(3) };
  const outcome = { file, stopped: undefined, total: 20 };
  const texts = textsFor('en-US');
  const of = (unheeded: string[]) => donePanel({ ...FACTS, unheeded }, outcome, texts).content;
  expect(of(['<lora:fox:1>', '[a:b:0.5]'])).toContain(
    '-# no effect here: \\<lora:fox:1>, [a:b:0.5]',
  );
  expect(of(['AND', '[**a**|b]', '<x:1>', '<y:1>'])).toMatch(
    /no effect here: AND, \\?\[\\\*\\\*a\\\*\\\*\|b\], \\<x:1>, …$/m,
  );
  expect(of([])).not.toContain('no effect');
});
