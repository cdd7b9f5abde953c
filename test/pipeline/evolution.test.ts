// The evolution of a picture: how its kept steps are laid out, played and plotted.

import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { UserError } from '../../src/errors.js';
import { evenly } from '../../src/pipeline/evenly.js';
import { durations } from '../../src/pipeline/evolution/animation.js';
import { labelHeight } from '../../src/pipeline/evolution/label.js';
import { ticks } from '../../src/pipeline/evolution/plot.js';
import { changes, type Turn } from '../../src/pipeline/evolution.js';
import { toHalf } from '../../src/pipeline/fp16.js';
import { digitsWidth } from '../../src/pipeline/image/digits.js';
import {
  type Draw,
  evolution,
  type FloatTensor,
  type KeptStep,
  type RgbImage,
  sideBySide,
} from '../../src/pipeline/index.js';

describe('the evolution', () => {
  const steps: KeptStep[] = Array.from({ length: 20 }, (_, i) => {
    const value = Float32Array.from({ length: 16 }, () => 1 / (i + 1));
    return {
      index: i + 1,
      total: 20,
      timestep: 1000 - 50 * i,
      dims: [1, 4, 4],
      latents: toHalf(value.map((v) => -v)),
      predictedOriginal: toHalf(value),
    };
  });
  /** Every frame is of one colour, which tells its step. */
  const draw = async ({ data }: FloatTensor): Promise<RgbImage> => ({
    data: new Uint8Array(3 * 64 * 64).fill(Math.round(data[0]! * 200)),
    width: 64,
    height: 64,
  });
  const options = { kind: 'sheet', frames: 9, order: 'reading', show: 'prediction' } as const;

  it('takes frames evenly, the first and the last among them', () => {
    for (const count of [4, 9, 16, 20, 64]) {
      const chosen = evenly(steps, count).map(({ index }) => index);
      expect(chosen).toHaveLength(Math.min(count, 20));
      expect([chosen[0], chosen.at(-1)]).toEqual([1, 20]);
      expect(new Set(chosen).size).toBe(chosen.length);
    }
  });

  it('begins a sheet at the top left, or at the end when it condenses', async () => {
    const corners = async (order: 'reading' | 'condensing') => {
      const { bytes, width, height } = await evolution(steps, { ...options, order }, 1e6, draw);
      const pixels = await sharp(bytes).removeAlpha().raw().toBuffer();
      const at = (x: number, y: number) => pixels[3 * (y * width + x)]!;
      return [at(40, 40), at(width - 12, height - 12)];
    };
    expect(await corners('reading')).toEqual([200, 10]);
    expect(await corners('condensing')).toEqual([10, 200]);
  });

  it('puts finished pictures beside each other, each with its numbers at the top and at the bottom', async () => {
    const file = await sharp({ create: { width: 96, height: 64, channels: 3, background: '#777' } })
      .png()
      .toBuffer();
    const numbers = [
      ['', ''],
      ['1/20', '93%'],
      ['10/20', ''],
    ] as const;
    const pictures = numbers.map(([label, foot]) => ({ file, label, foot }));
    const { bytes, width, height } = await sideBySide(pictures, 1e6);
    expect([width, height]).toEqual([2 * 100 + 4, 2 * 68 + 4]);
    const pixels = await sharp(bytes).removeAlpha().raw().toBuffer();
    /** Something is drawn in the half of the frame that begins at this row. */
    const isMarked = (column: number, row: number, below: boolean) => {
      const [left, top] = [4 + column * 100, 4 + row * 68 + (below ? 32 : 0)];
      for (let y = top; y < top + 32; y++)
        for (let x = left; x < left + 96; x++)
          if (pixels[3 * (y * width + x)] !== 0x77) return true;
      return false;
    };
    const marks = (
      [
        [0, 0],
        [1, 0],
        [0, 1],
      ] as const
    ).map(([column, row]) => [isMarked(column, row, false), isMarked(column, row, true)]);
    expect(marks).toEqual([
      [false, false],
      [true, true],
      [true, false],
    ]);
  });

  it('leaves empty cells at the bottom right in either order', async () => {
    for (const [order, first, last] of [
      ['reading', 200, 25],
      ['condensing', 25, 200],
    ] as const) {
      // Eight frames: three columns, and the ninth cell is empty.
      const eight = steps.slice(0, 8);
      const { bytes } = await evolution(eight, { ...options, order }, 1e6, draw);
      const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
      const middle = (column: number, row: number) =>
        data[info.channels * ((36 + 68 * row) * info.width + 36 + 68 * column)];
      expect(middle(0, 0)).toBe(first);
      expect(middle(1, 2)).toBe(last);
      expect(middle(2, 2)).toBe(0x1e);
    }
  });

  it.each([0, 255])('numbers its frames so that they can be read on grey %i', async (grey) => {
    const plain: Draw = async () => ({
      data: new Uint8Array(3 * 64 * 64).fill(grey),
      width: 64,
      height: 64,
    });
    const sheet = await evolution(steps, options, 1e6, plain);
    const play = await evolution(steps, { ...options, kind: 'animation' }, 1e6, plain);
    for (const { bytes } of [sheet, play]) {
      const corner = { left: 4, top: 4, width: 20, height: 20 };
      const pixels = await sharp(bytes).extract(corner).greyscale().raw().toBuffer();
      expect(Math.min(...pixels)).toBeLessThan(60);
      expect(Math.max(...pixels)).toBeGreaterThan(200);
    }
    // Frames that look alike are joined into one: only the numbers tell these apart.
    expect((await sharp(play.bytes, { animated: true }).metadata()).pages).toBe(20);
  });

  it('plays all frames, each in its time', async () => {
    const file = await evolution(steps, { ...options, kind: 'animation' }, 1e6, draw);
    const { pages, delay } = await sharp(file.bytes, { animated: true }).metadata();
    expect(file.type).toBe('image/webp');
    expect(pages).toBe(20);
    expect(delay).toEqual(durations(20));
  });

  it('shows the one step of a picture that has no more, but no changes', async () => {
    const one = steps.slice(0, 1);
    for (const kind of ['sheet', 'animation'] as const) {
      const file = await evolution(one, { ...options, kind }, 1e6, draw);
      expect((await sharp(file.bytes).metadata()).width).toBe(file.width);
    }
    await expect(evolution(one, { ...options, kind: 'changes' }, 1e6, draw)).rejects.toMatchObject({
      identifier: 'one-step',
    });
  });

  it('says which step is the last to whoever draws them', async () => {
    for (const kind of ['sheet', 'animation'] as const) {
      const last: boolean[] = [];
      await evolution(steps, { ...options, kind }, 1e6, async (latents, isLast) => {
        last.push(isLast);
        return draw(latents);
      });
      expect(last.filter(Boolean)).toHaveLength(1);
      expect(last.at(-1)).toBe(true);
    }
  });

  it('draws in turns of some frames, and puts them together outside of them', async () => {
    let inside = false;
    const turns: number[] = [];
    const turn: Turn = async (work) => {
      expect(inside).toBe(false);
      inside = true;
      turns.push(0);
      const done = await work();
      inside = false;
      return done;
    };
    // Of 4 MB each: a dozen of them fill a turn.
    const large: RgbImage = { data: new Uint8Array(1200 * 1200 * 3), width: 1200, height: 1200 };
    const frame: Draw = async () => {
      expect(inside).toBe(true);
      turns.push((turns.pop() ?? 0) + 1);
      return large;
    };
    const sheet = { ...options, kind: 'sheet', frames: 20 } as const;
    await evolution(steps, sheet, 10e6, frame, turn);
    expect(turns.length).toBeGreaterThan(1);
    expect(turns.reduce((a, b) => a + b)).toBe(20);
  });

  it('draws for no longer at a time than a picture that is being painted may wait', async () => {
    let clock = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock);
    try {
      const turns: number[] = [];
      const turn: Turn = (work) => {
        turns.push(0);
        return work();
      };
      const slow: Draw = async (latents) => {
        clock += 100;
        turns.push((turns.pop() ?? 0) + 1);
        return draw(latents);
      };
      await evolution(steps.slice(0, 8), { ...options, frames: 8 }, 1e6, slow, turn);
      expect(turns).toEqual([3, 3, 2]);
    } finally {
      now.mockRestore();
    }
  });

  it('tells how much each step changed the prediction', async () => {
    const values = changes(steps);
    expect(values).toHaveLength(19);
    expect(values[0]).toBeCloseTo(0.5, 3);
    expect(values[1]).toBeCloseTo(1 / 2 - 1 / 3, 3);
    // Steps that are all the same have a plot too: one without bars.
    for (const plotted of [steps, steps.map((step) => ({ ...steps[0]!, index: step.index }))]) {
      const plot = await evolution(plotted, { ...options, kind: 'changes' }, 1e6, draw);
      expect((await sharp(plot.bytes).metadata()).format).toBe('png');
    }
  });

  it('says so when it cannot fit, or when there is nothing to show', async () => {
    for (const kind of ['sheet', 'animation'] as const)
      await expect(evolution(steps, { ...options, kind }, 100, draw)).rejects.toMatchObject({
        identifier: 'evolution-too-large',
        context: { maxBytes: 100 },
      });
    await expect(evolution([], options, 1e6, draw)).rejects.toBeInstanceOf(UserError);
  });
});

describe('the numbers of frames', () => {
  it.each([
    [2, 512],
    [3, 256],
    [5, 256],
    [3, 682],
    [8, 255],
  ])(
    'can be read in chat, which shows a sheet of %i x %i frames of %i px at 400 px',
    (side, px) => {
      const file = { width: side * px, height: side * px };
      const height = labelHeight('64', { width: px, height: px }, file);
      const seen = Math.min(1, 400 / file.width);
      expect(height * seen).toBeGreaterThanOrEqual(12);
      // and leave the frame to the picture
      expect((height * digitsWidth('64', height)) / px ** 2).toBeLessThan(0.12);
    },
  );

  it('leave most of narrow and of small frames free', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 16, max: 2048 }),
        fc.integer({ min: 16, max: 2048 }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 12 }),
        (width, height, step, cells) => {
          const file = { width: cells * width, height: cells * height };
          const high = labelHeight(String(step), { width, height }, file);
          expect(high).toBeLessThanOrEqual(Math.ceil(height / 3));
          expect(digitsWidth(String(step), high)).toBeLessThanOrEqual(0.6 * width + 2);
          expect(digitsWidth(String(step), high)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });
});

describe('the times of an animation', () => {
  it('are long at first, where most happens, and at the end', () => {
    expect(durations(1)).toEqual([2000]);
    expect(durations(2)).toEqual([800, 2000]);
    expect(durations(4)).toEqual([800, 300, 300, 2000]);
    expect(durations(20).slice(0, 8)).toEqual([800, 300, 300, 300, 300, 300, 270, 240]);
    expect(durations(20).at(-1)).toBe(2000);
  });

  it('never grow before the end, in hundredths of a second, and keep 150 steps within 20 s', () => {
    const times = durations(150);
    const before = times.slice(0, -1);
    expect(before).toEqual(before.toSorted((a, b) => b - a));
    expect(before.at(-1)).toBe(80);
    expect(times.filter((ms) => ms % 10 !== 0)).toEqual([]);
    expect(times.reduce((a, b) => a + b)).toBeLessThan(20_000);
  });
});

describe('the marks of an axis', () => {
  it('are round numbers from 0', () => {
    expect(ticks(0.72)).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8']);
    expect(ticks(1)).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
    expect(ticks(0.024)).toEqual(['0.000', '0.005', '0.010', '0.015', '0.020', '0.025']);
    expect(ticks(38)).toEqual(['0', '10', '20', '30', '40']);
  });

  it('are 3 to 6, evenly spaced, and reach over the tallest bar', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (most) => {
        const marks = ticks(most).map(Number);
        const step = marks[1]!;
        expect(marks.length).toBeGreaterThanOrEqual(3);
        expect(marks.length).toBeLessThanOrEqual(6);
        expect(step.toExponential()).toMatch(/^[125]e/);
        for (const [i, mark] of marks.entries()) expect(mark).toBeCloseTo(i * step, 9);
        expect(marks.at(-1)).toBeGreaterThanOrEqual(most);
      }),
    );
  });
});
