// Models that bring a safety checker: what it flags is blurred or refused, on the way there as well.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { LocalEngine, Safety } from '../../src/engine/index.js';
import { veil } from '../../src/engine/safety.js';
import { UserError } from '../../src/errors.js';
import type { KeptStep } from '../../src/pipeline/types.js';
import { copyOfModel, engineJob, engineWith } from '../support/engine.js';
import { saveSafetyChecker } from '../support/onnx.js';

/** The checker flags what is brighter: everything, or nothing. */
const [ALL, NONE] = [-9, 9];

async function modelWith(above: number): Promise<string> {
  const folder = await copyOfModel();
  await mkdir(join(folder, 'safety_checker'));
  await saveSafetyChecker(join(folder, 'safety_checker/model.onnx'), above);
  return folder;
}

function engineFor(modelDirectory: string, safety?: Safety): LocalEngine {
  return engineWith({ modelDirectory, ...(safety === undefined ? {} : { safety }) });
}

const JOB = engineJob({ steps: 60 });

/** Mean step from a pixel to its neighbour, all channels: what is blurred has little of it. */
async function detail(bytes: Uint8Array): Promise<number> {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  let sum = 0;
  for (let i = info.channels; i < data.length; i++) {
    sum += Math.abs(data[i]! - data[i - info.channels]!);
  }
  return sum / data.length;
}

describe('a picture that the safety checker flags', () => {
  it('is blurred unless something else is set, and its infotext says so', async () => {
    const folder = await modelWith(ALL);
    const [flagged, clean] = [
      await engineFor(folder).run(JOB).result,
      await engineFor(folder, 'off').run(JOB).result,
    ];
    expect(flagged.flagged).toBe(true);
    expect(flagged.infotext).toContain('Safety checker: flagged');
    expect(clean.flagged).toBe(false);
    expect(clean.infotext).not.toContain('Safety checker');
    expect(flagged.image).toMatchObject({ width: 64, height: 64 });
    expect(await detail(flagged.image.bytes)).toBeLessThan((await detail(clean.image.bytes)) / 4);
  });

  it('is refused where that is set', async () => {
    const engine = engineFor(await modelWith(ALL), 'refuse');
    const failure = await engine.run(JOB).result.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as UserError).identifier).toBe('picture-unsafe');
  });

  it('is blurred when it is stopped on the way, too', async () => {
    const engine = engineFor(await modelWith(ALL));
    const run = engine.run(JOB);
    run.stop();
    expect(await run.result).toMatchObject({ stopped: true, flagged: true });
  });

  it('is not shown by a checker that is damaged', async () => {
    const folder = await modelWith(NONE);
    const engine = engineFor(folder);
    await engine.ready;
    await writeFile(join(folder, 'safety_checker/model.onnx'), 'not a graph');
    const failure = await engine.run(JOB).result.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as UserError).message).toContain('safety_checker/model.onnx');
  });
});

describe('a picture that it does not flag', () => {
  it('is what it is without a checker', async () => {
    const folder = await modelWith(NONE);
    const checked = await engineFor(folder).run(JOB).result;
    const unchecked = await engineFor(folder, 'off').run(JOB).result;
    expect(checked.flagged).toBe(false);
    expect(checked.image.bytes).toEqual(unchecked.image.bytes);
  });
});

describe('previews of a model with a safety checker', () => {
  it('show no more than colours, for nothing has been checked yet', async () => {
    const engine = engineFor(await modelWith(NONE));
    const kept: KeptStep[] = [];
    const run = engine.run(JOB, { onStep: (report) => kept.push(report) });
    const preview = await run.nextPreview();
    await run.result;
    const step = kept.find(({ index }) => index === preview?.index);
    const plain = await engine.picture(step!, 'prediction', 1 << 20);
    expect(await detail(preview!.bytes)).toBeLessThan((await detail(plain.bytes)) / 3);
  });
});

describe('a veil', () => {
  it.each([
    [64, 64],
    [512, 96],
    [8, 300],
  ])('keeps the size of %dx%d and hides what is there', async (width, height) => {
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i % 2) * 255);
    const veiled = await veil({ data, width, height });
    expect(veiled).toMatchObject({ width, height });
    expect(veiled.data).toHaveLength(data.length);
    const levels = [...new Set(veiled.data)].sort((a, b) => a - b);
    const [least, most] = [levels[0]!, levels.at(-1)!];
    expect(most - least).toBeLessThan(128);
  });
});
