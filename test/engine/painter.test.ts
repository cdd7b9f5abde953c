// A try of a run in this process, with a real (tiny) model: which step a preview is of.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Attempt, Painter } from '../../src/engine/painter.js';
import type { FromEngine } from '../../src/engine/protocol.js';
import { loadModel, type Model } from '../../src/pipeline/index.js';
import { engineJob, TINY_SD } from '../support/engine.js';

const JOB = engineJob({ steps: 5 });

let model: Model;
beforeAll(async () => {
  model = await loadModel(TINY_SD, { providers: ['cpu'], threads: 1 });
});
afterAll(() => model.dispose());

/** The steps that a preview was sent of, asked for once: one of a step after `after`. */
async function previewed(after: number): Promise<number[]> {
  const heard: FromEngine[] = [];
  const painter = new Painter(
    async (message) => void heard.push(message),
    (work) => work(),
  );
  const attempt: Attempt = {
    number: 1,
    abort: new AbortController(),
    stopping: false,
    previewAfter: after,
  };
  expect(await painter.paint(attempt, model, JOB, 'off')).toMatchObject({ index: 5, total: 5 });
  return heard.flatMap((one) => (one.kind === 'preview' ? [one.preview.index] : []));
}

it('a preview is of the first step after the one that is named, and never of that one again', async () => {
  expect(await previewed(0)).toEqual([1]);
  expect(await previewed(2)).toEqual([3]);
});

it('the last step has none: the picture itself is next', async () => {
  expect(await previewed(4)).toEqual([]);
});
