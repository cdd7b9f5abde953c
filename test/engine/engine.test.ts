// The engine with its real process and a real (tiny) model.

import { copyFile, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  EngineDied,
  type EngineJob,
  type LocalEngine,
  RunCancelled,
  type StepReport,
} from '../../src/engine/index.js';
import { UserError } from '../../src/errors.js';
import { readInfotext } from '../../src/pipeline/image/carried.js';
import { fromKept } from '../../src/pipeline/kept.js';
import type { KeptStep } from '../../src/pipeline/types.js';
import { copyOfModel, engineJob, engineWith, TINY_SD } from '../support/engine.js';

const PNG = [0x89, 0x50, 0x4e, 0x47];

/** For tests that leave their engine as they found it. */
let shared: LocalEngine;
beforeAll(() => {
  shared = createEngine({ modelDirectory: TINY_SD, providers: ['cpu'], threads: 1 });
});
afterAll(() => shared.close());

function job(
  parameters: Partial<EngineJob['parameters']> = {},
  start: EngineJob['start'] = { kind: 'noise' },
): EngineJob {
  const own = { prompt: 'a red fox on a meadow', seed: 42, steps: 12, guidanceScale: 5 };
  return { ...engineJob({ ...own, scheduler: 'Euler a', ...parameters }), start };
}

/** Sends a signal to the engine process as it is now. */
function strike(engine: LocalEngine, signal: NodeJS.Signals): void {
  if (engine.pid === undefined) throw new Error('Expected a living engine process');
  process.kill(engine.pid, signal);
}

/** Mean difference of two pictures' values, 0 to 255. */
async function distance(a: Uint8Array, b: Uint8Array): Promise<number> {
  const [one, two] = [await sharp(a).raw().toBuffer(), await sharp(b).raw().toBuffer()];
  expect(one.length).toBe(two.length);
  return one.reduce((sum, value, i) => sum + Math.abs(value - two[i]!), 0) / one.length;
}

async function paint(engine: LocalEngine, what: EngineJob): Promise<Uint8Array> {
  return (await engine.run(what).result).image.bytes;
}

describe('a generation', () => {
  it('reports each step in order and ends with a PNG that carries its parameters', async () => {
    const engine = shared;
    const reports: StepReport[] = [];
    const result = await engine.run(job(), { onStep: (report) => reports.push(report) }).result;

    expect(reports.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    for (const report of reports) {
      expect(report.total).toBe(12);
      const { dims, latents, predictedOriginal } = report;
      expect(latents).toBeInstanceOf(Uint16Array);
      expect(latents.length).toBe(dims.reduce((a, b) => a * b, 1));
      expect(predictedOriginal.length).toBe(latents.length);
    }
    // Quick steps travel together; what is left to do is always known of the first and of the last.
    expect(reports[0]?.checkpoint?.length).toBeGreaterThan(0);
    expect(reports[11]?.checkpoint?.length).toBeGreaterThan(0);
    expect([...result.image.bytes.subarray(0, 4)]).toEqual(PNG);
    expect(result).toMatchObject({ index: 12, total: 12, stopped: false });
    expect(result.image).toMatchObject({ type: 'image/png', width: 64, height: 64 });
    const { graphs, total, steps, unet } = result.timings;
    expect(steps).toBe(12);
    // Guidance takes one call or two, as is faster here, but the same for each step.
    expect(unet.length % steps).toBe(0);
    expect(graphs).toBeGreaterThan(0);
    expect(graphs).toBeLessThan(total);
    expect(result.infotext).toContain('Seed: 42');
    expect(readInfotext(result.image.bytes)).toBe(result.infotext);
  });

  it('tells the time of every call of the model: without guidance, one for each step', async () => {
    const { timings } = await shared.run(job({ guidanceScale: 1 })).result;
    expect(timings.steps).toBe(12);
    expect(timings.unet).toHaveLength(12);
  });

  it('gives the same bytes for the same parameters, and others for another seed', async () => {
    const engine = shared;
    const first = await paint(engine, job());
    expect(await paint(engine, job())).toEqual(first);
    expect(await paint(engine, job({ seed: 43 }))).not.toEqual(first);
  });

  it('hands out previews of ever newer steps, and undefined at the end', async () => {
    const engine = shared;
    const run = engine.run(job({ steps: 100 }));
    const seen: number[] = [];
    for (;;) {
      const preview = await run.nextPreview();
      if (preview === undefined) break;
      expect(preview.bytes.length).toBeGreaterThan(0);
      seen.push(preview.index);
    }
    await run.result;
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(await run.nextPreview()).toBeUndefined();
  });

  it('tells a user mistake from the engine process as a UserError', async () => {
    const engine = shared;
    const failure = await engine.run(job({ width: 63 })).result.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    // The slot is free and the process alive.
    await expect(paint(engine, job())).resolves.toBeInstanceOf(Uint8Array);
  });

  it('goes on from a stored checkpoint with the same final bytes', async () => {
    const engine = shared;
    const reports: StepReport[] = [];
    const whole = await engine.run(job(), { onStep: (report) => reports.push(report) }).result;
    const stored = reports.filter(({ checkpoint }) => checkpoint !== undefined);
    expect(stored[0]?.index).toBe(1);
    expect(stored.at(-1)?.index).toBe(12);
    for (const { index, checkpoint } of stored) {
      const again: number[] = [];
      const result = await engine.run(job({}, { kind: 'resume', checkpoint: checkpoint! }), {
        onStep: (report) => again.push(report.index),
      }).result;
      expect(result.image.bytes).toEqual(whole.image.bytes);
      expect(again.length).toBeLessThanOrEqual(12 - index + 1);
    }
  });

  it('branches from a kept step: a late one stays nearer to its parent than an early one', async () => {
    const engine = shared;
    const kept: KeptStep[] = [];
    const keep = { onStep: (report: StepReport) => kept.push(report) };
    await engine.run(job({ scheduler: 'DDIM' }), keep).result;
    const parent = kept.splice(0);
    /** mean distance of the final latents to the parent's */
    const branch = async (fromStep: number) => {
      const start = { kind: 'branch', step: parent[fromStep - 1]!, seed: 7 } as const;
      const { infotext } = await engine.run(job({ scheduler: 'DDIM' }, start), keep).result;
      expect(infotext).toContain(`Branch step: ${fromStep}, Branch seed: 7`);
      const steps = kept.splice(0);
      expect(steps.map(({ index }) => index)).toEqual(
        Array.from({ length: 12 - fromStep }, (_, i) => fromStep + 1 + i),
      );
      const [now, before] = [fromKept(steps.at(-1)!), fromKept(parent.at(-1)!)];
      return now.latents.data.reduce((sum, x, i) => sum + Math.abs(x - before.latents.data[i]!), 0);
    };
    const [early, late] = [await branch(2), await branch(11)];
    expect(late).toBeGreaterThan(0);
    expect(late).toBeLessThan(early);
  });
});

describe('a generation from an init image', () => {
  const guided = async (start: EngineJob['start'] = { kind: 'noise' }): Promise<EngineJob> => ({
    ...job({ steps: 40, strength: 0.5 }, start),
    init: {
      image: await readFile(new URL('../fixtures/guide/image-64x64.png', import.meta.url)),
      mask: await readFile(new URL('../fixtures/guide/mask-64x64.png', import.meta.url)),
    },
  });

  it('keeps the steps that it does, says what it began from, and goes on with the same bytes', async () => {
    const reports: StepReport[] = [];
    const keep = { onStep: (report: StepReport) => reports.push(report) };
    const whole = await shared.run(await guided(), keep).result;
    expect(reports.map(({ index }) => index)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(whole).toMatchObject({ index: 20, total: 20 });
    expect(whole.infotext).toContain('Denoising strength: 0.5');
    expect(whole.infotext).toContain('Inpaint area');
    const checkpoint = reports[0]!.checkpoint!;
    const again = await shared.run(await guided({ kind: 'resume', checkpoint })).result;
    expect(again.image.bytes).toEqual(whole.image.bytes);
    const start = { kind: 'branch', step: reports[4]!, seed: 7 } as const;
    const branch = await shared.run(await guided(start)).result;
    expect(branch).toMatchObject({ index: 20, total: 20 });
    expect(branch.infotext).toContain('Branch step: 5');
    expect(branch.image.bytes).not.toEqual(whole.image.bytes);
    const sheet = { kind: 'sheet', frames: 9, order: 'reading', show: 'prediction' } as const;
    expect((await shared.evolution(reports, sheet, 8 << 20)).type).toBe('image/png');
  });

  it('gives the same bytes when its process dies on the way', async () => {
    const engine = engineWith();
    const undisturbed = await paint(engine, await guided());
    let struck = false;
    const run = engine.run(await guided(), {
      onStep: ({ index }) => {
        if (index === 5 && !struck) {
          struck = true;
          strike(engine, 'SIGKILL');
        }
      },
    });
    expect((await run.result).image.bytes).toEqual(undisturbed);
    expect(struck).toBe(true);
  });

  it('tells what is no picture as a UserError', async () => {
    const init = { image: Buffer.from('words') };
    const failure = await shared
      .run({ ...(await guided()), init })
      .result.catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'UserError', identifier: 'bad-image' });
  });
});

describe('stop and cancel', () => {
  it('stop ends after the current step with its picture', async () => {
    const engine = shared;
    const kept: KeptStep[] = [];
    const run = engine.run(job({ steps: 100 }), {
      onStep: (report) => {
        kept.push(report);
        if (report.index === 3) run.stop();
      },
    });
    const result = await run.result;
    expect(result.stopped).toBe(true);
    expect(result.index).toBeGreaterThanOrEqual(3);
    expect(result.index).toBeLessThan(100);
    expect(result.infotext).toContain(`Stopped at: ${result.index}, `);
    // What the model expected then, not the noise that was left.
    const last = kept.find(({ index }) => index === result.index)!;
    const [prediction, latents] = [
      await engine.picture(last, 'prediction', 8 << 20),
      await engine.picture(last, 'latents', 8 << 20),
    ];
    const near = await distance(result.image.bytes, prediction.bytes);
    const far = await distance(result.image.bytes, latents.bytes);
    expect(near).toBeLessThan(far / 4);
  });

  it('stop before the first step still gives a picture', async () => {
    const engine = shared;
    const run = engine.run(job({ steps: 100 }));
    run.stop();
    expect(await run.result).toMatchObject({ stopped: true, total: 100 });
  });

  it('cancel rejects at once, ends the previews and frees the slot', async () => {
    const engine = shared;
    const heard: number[] = [];
    const run = engine.run(job({ steps: 150 }), {
      onStep: ({ index }) => {
        heard.push(index);
        if (index === 3) run.cancel();
      },
    });
    await expect(run.result).rejects.toBeInstanceOf(RunCancelled);
    expect(await run.nextPreview()).toBeUndefined();
    expect(heard).toEqual([1, 2, 3]); // steps come several at a time
    const reports: number[] = [];
    await engine.run(job(), { onStep: ({ index }) => reports.push(index) }).result;
    expect(reports).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  });

  it('cancel while the model is loading drops the run before it begins', async () => {
    const engine = engineWith();
    let steps = 0;
    const run = engine.run(job(), { onStep: () => steps++ });
    run.cancel();
    await expect(run.result).rejects.toBeInstanceOf(RunCancelled);
    await engine.ready;
    await paint(engine, job());
    expect(steps).toBe(0);
  });

  it('cancel does not wait for a process that is stuck', async () => {
    const engine = engineWith({ stallMs: 1500 });
    const undisturbed = await paint(engine, job());
    const run = engine.run(job({ steps: 150 }), {
      onStep: ({ index }) => {
        if (index !== 3) return;
        strike(engine, 'SIGSTOP');
        run.cancel();
      },
    });
    await expect(run.result).rejects.toBeInstanceOf(RunCancelled);
    // The next run is not blamed for the process that had to be killed.
    const retries: number[] = [];
    const next = engine.run(job(), { onRetry: (from) => retries.push(from) });
    expect((await next.result).image.bytes).toEqual(undisturbed);
    expect(retries).toEqual([]);
  });

  it('takes one run at a time', async () => {
    const engine = shared;
    const run = engine.run(job());
    expect(() => engine.run(job())).toThrow(/one run at a time/);
    await run.result;
  });
});

describe('an engine process that dies', () => {
  it('goes on from the last checkpoint and gives the very same bytes', async () => {
    const engine = engineWith();
    const undisturbed = await paint(engine, job({ steps: 80 }));
    const order: (number | string)[] = [];
    const run = engine.run(job({ steps: 80 }), {
      onStep: ({ index }) => {
        order.push(index);
        if (index === 5 && !order.includes('retry')) strike(engine, 'SIGKILL');
      },
      onRetry: (from) => order.push('retry', from),
    });
    const { image, timings } = await run.result;
    expect(image.bytes).toEqual(undisturbed);
    expect(timings.unet.length).toBeGreaterThanOrEqual(80);
    const retry = order.indexOf('retry');
    const from = order[retry + 1] as number;
    expect(from).toBeGreaterThanOrEqual(5);
    expect(from).toBeLessThan(80);
    expect(order[retry + 2]).toBe(from + 1);
  });

  it('takes a branch up again with the same bytes, its origin in the text included', async () => {
    const engine = engineWith();
    const kept: KeptStep[] = [];
    await engine.run(job(), { onStep: (report) => kept.push(report) }).result;
    const parameters = { steps: 60, seed: 9 };
    const branch = job(parameters, { kind: 'branch', step: { ...kept[3]!, total: 60 }, seed: 7 });
    const undisturbed = await paint(engine, branch);
    let struck = false;
    const run = engine.run(branch, {
      onStep: ({ index }) => {
        if (index === 7 && !struck) strike(engine, 'SIGKILL');
      },
      onRetry: () => {
        struck = true;
      },
    });
    expect((await run.result).image.bytes).toEqual(undisturbed);
    expect(struck).toBe(true);
  });

  it('keeps a preview request and a stop over the restart', async () => {
    const engine = engineWith();
    const run = engine.run(job({ steps: 100 }), {
      onStep: ({ index }) => {
        if (index === 2) strike(engine, 'SIGKILL');
      },
      onRetry: () => run.stop(),
    });
    let previews = 0;
    while ((await run.nextPreview()) !== undefined) previews++;
    expect(previews).toBeGreaterThan(0);
    expect((await run.result).stopped).toBe(true);
  });

  it('is reported as EngineDied when it died twice under one run, and works again after', async () => {
    const engine = engineWith();
    const undisturbed = await paint(engine, job());
    const struck = new Set<number>();
    const run = engine.run(job({ steps: 100 }), {
      onStep: () => {
        if (engine.pid === undefined || struck.has(engine.pid)) return;
        struck.add(engine.pid);
        strike(engine, 'SIGKILL');
      },
    });
    await expect(run.result).rejects.toBeInstanceOf(EngineDied);
    expect(struck.size).toBe(2);
    expect(await paint(engine, job())).toEqual(undisturbed);
  });

  it('is killed and its run retried when it stops answering', async () => {
    const engine = engineWith({ stallMs: 1500 });
    const undisturbed = await paint(engine, job({ steps: 60 }));
    const retries: number[] = [];
    const run = engine.run(job({ steps: 60 }), {
      onStep: ({ index }) => {
        if (index === 4 && retries.length === 0) strike(engine, 'SIGSTOP');
      },
      onRetry: (from) => retries.push(from),
    });
    expect((await run.result).image.bytes).toEqual(undisturbed);
    expect(retries).toHaveLength(1);
  });

  it('comes back when it dies while nothing runs', async () => {
    const engine = engineWith();
    await engine.ready;
    const before = engine.pid;
    strike(engine, 'SIGKILL');
    await paint(engine, job());
    expect(engine.pid).not.toBe(before);
  });

  it('says what happened when it cannot stay alive long enough to load', async () => {
    const said: string[] = [];
    const log = (...args: unknown[]) => void said.push(String(args.at(-1)));
    const engine = engineWith({
      backOffMs: 1,
      loadMs: 1,
      stallMs: 80,
      logger: { debug: log, info: log, warn: log, error: log },
    });
    await expect(engine.ready).rejects.toBeInstanceOf(EngineDied);
    expect(said.filter((line) => /did not answer for/.test(line))).toHaveLength(4);
  });
});

describe('a model directory at fault', () => {
  it('that is not there is a UserError in ready and in each run', async () => {
    const engine = engineWith({ modelDirectory: '/nowhere/at/all' });
    await expect(engine.ready).rejects.toBeInstanceOf(UserError);
    await expect(engine.run(job()).result).rejects.toBeInstanceOf(UserError);
  });

  it('that holds a truncated file is a UserError naming it; mended, the engine works', async () => {
    const folder = await copyOfModel();
    const files = await readdir(join(folder, 'unet'));
    const file = files.find((name) => name.endsWith('.onnx'))!;
    await truncate(join(folder, 'unet', file), 1000);
    const engine = engineWith({ modelDirectory: folder });
    const failure = await engine.ready.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as UserError).message).toContain(file);

    await copyFile(join(TINY_SD, 'unet', file), join(folder, 'unet', file));
    await expect(paint(engine, job())).resolves.toBeInstanceOf(Uint8Array);
  });
});

describe('requests beside the runs', () => {
  it('draws the evolution and single steps while a run goes on, without changing its bytes', async () => {
    const engine = shared;
    const kept: KeptStep[] = [];
    const undisturbed = await engine.run(job({ steps: 60 }), {
      onStep: (report) => kept.push(report),
    }).result;

    const run = engine.run(job({ steps: 60 }));
    let ended = false;
    void run.result.then(() => {
      ended = true;
    });
    const options = { frames: 9, order: 'reading', show: 'prediction' } as const;
    const picture = await engine.picture(kept[30]!, 'prediction', 1 << 20);
    expect(ended).toBe(false);
    const sheet = await engine.evolution(kept, { kind: 'sheet', ...options }, 1 << 20);
    const changes = await engine.evolution(kept, { kind: 'changes', ...options }, 1 << 20);
    for (const image of [picture, sheet, changes]) {
      expect(image.bytes.length).toBeGreaterThan(100);
      expect(image.bytes.length).toBeLessThanOrEqual(1 << 20);
    }
    expect((await run.result).image.bytes).toEqual(undisturbed.image.bytes);
  });

  it('put finished pictures beside each other while a run goes on', async () => {
    const made = await Promise.all(
      ['#800', '#080', '#008'].map(async (background) => ({
        file: await sharp({ create: { width: 64, height: 64, channels: 3, background } })
          .png()
          .toBuffer(),
        label: '',
        foot: '',
      })),
    );
    const run = shared.run(job({ steps: 60 }));
    const sheet = await shared.beside(made, 1 << 20);
    expect(sheet).toMatchObject({ type: 'image/png', width: 140, height: 140 });
    const pixels = await sharp(sheet.bytes).raw().toBuffer();
    const middles = [
      [36, 36],
      [104, 36],
      [36, 104],
      [104, 104],
    ] as const;
    const channels = middles.map(([x, y]) => [
      ...pixels.subarray(3 * (140 * y + x)).subarray(0, 3),
    ]);
    expect(channels).toEqual([
      [0x88, 0, 0],
      [0, 0x88, 0],
      [0, 0, 0x88],
      [0x1e, 0x1f, 0x22],
    ]);
    await expect(shared.beside(made, 10)).rejects.toMatchObject({
      identifier: 'evolution-too-large',
    });
    await run.result;
  });

  it('survive the death of the process', async () => {
    const engine = engineWith();
    const kept: KeptStep[] = [];
    await engine.run(job({ steps: 20 }), {
      onStep: (report) => kept.push(report),
    }).result;
    strike(engine, 'SIGSTOP');
    const changes = engine.evolution(
      kept,
      { kind: 'changes', frames: 9, order: 'reading', show: 'prediction' },
      1 << 20,
    );
    strike(engine, 'SIGKILL');
    expect((await changes).bytes.length).toBeGreaterThan(100);
  });
});

describe('close', () => {
  it('cancels the run and ends the process', async () => {
    const engine = engineWith();
    const run = engine.run(job({ steps: 150 }));
    await engine.ready;
    const pid = engine.pid!;
    await engine.close();
    await expect(run.result).rejects.toBeInstanceOf(RunCancelled);
    expect(() => process.kill(pid, 0)).toThrow();
    await expect(engine.run(job()).result).rejects.toBeInstanceOf(RunCancelled);
  });

  it('kills a process that does not end by itself', async () => {
    const engine = engineWith();
    await engine.ready;
    const pid = engine.pid!;
    strike(engine, 'SIGSTOP');
    await engine.close(50);
    expect(() => process.kill(pid, 0)).toThrow();
  });
});
