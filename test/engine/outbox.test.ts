// Steps on their way to the bot: which of them go together, and that none stays behind.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Outbox } from '../../src/engine/outbox.js';
import type { SentStep } from '../../src/engine/protocol.js';

const step = (index: number, side = 4): SentStep => ({
  report: {
    index,
    total: 50,
    timestep: 1000 - index,
    dims: [4, side, side],
    latents: new Uint16Array(4 * side * side),
    predictedOriginal: new Uint16Array(4 * side * side),
    milliseconds: 5,
  },
  unet: [5],
});

let sent: number[][] = [];
/** the steps whose checkpoints came with them */
let states: number[] = [];
let outbox: Outbox;

const add = (index: number, side?: number) =>
  outbox.add(step(index, side), () => Uint8Array.of(index));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  [sent, states] = [[], []];
  outbox = new Outbox(async (steps) => {
    sent.push(steps.map(({ report }) => report.index));
    for (const { report } of steps) states.push(...(report.checkpoint ?? []));
  });
});
afterEach(() => {
  vi.useRealTimers();
});

it('lets the first step leave at once', () => {
  add(1);
  expect(outbox.due).toBe(true);
});

it('keeps quick steps back for a tenth of a second, and sends them together with the last checkpoint', async () => {
  add(1);
  await outbox.flush();
  for (const index of [2, 3, 4]) {
    vi.advanceTimersByTime(33);
    add(index);
    expect(outbox.due).toBe(false);
  }
  vi.advanceTimersByTime(33);
  add(5);
  expect(outbox.due).toBe(true);
  await outbox.flush();
  expect(sent).toEqual([[1], [2, 3, 4, 5]]);
  expect(states).toEqual([1, 5]);
});

it('keeps back no more than the pipe holds, however quick the steps are', async () => {
  add(1);
  await outbox.flush();
  add(2, 50); // twice 4 * 50 * 50 * 2 bytes
  expect(outbox.due).toBe(false);
  add(3, 50);
  expect(outbox.due).toBe(true);
});

it('says nothing when nothing waits', async () => {
  await outbox.flush();
  expect(sent).toEqual([]);
});
