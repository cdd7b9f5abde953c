// Steps on their way to the bot: which of them go together, and that none stays behind.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Outbox } from '../../src/engine/outbox.js';
import type { SentStep } from '../../src/engine/protocol.js';

const step = (index: number, bytes = 100): SentStep => ({
  report: {
    index,
    total: 50,
    timestep: 1000 - index,
    milliseconds: 5,
    kept: {
      index,
      total: 50,
      timestep: 1000 - index,
      dims: [4, 8, 8],
      predictedOriginal: new Uint16Array(256),
    },
    checkpoint: new Uint8Array(bytes),
  },
  unet: [5],
});

let sent: number[][] = [];
let outbox: Outbox;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  sent = [];
  outbox = new Outbox(async (steps) => {
    sent.push(steps.map(({ report }) => report.index));
  });
});
afterEach(() => {
  vi.useRealTimers();
});

it('lets the first step leave at once', () => {
  outbox.add(step(1));
  expect(outbox.due).toBe(true);
});

it('keeps quick steps back for a tenth of a second, and sends them together in their order', async () => {
  outbox.add(step(1));
  await outbox.flush();
  for (const index of [2, 3, 4]) {
    vi.advanceTimersByTime(33);
    outbox.add(step(index));
    expect(outbox.due).toBe(false);
  }
  vi.advanceTimersByTime(33);
  outbox.add(step(5));
  expect(outbox.due).toBe(true);
  await outbox.flush();
  expect(sent).toEqual([[1], [2, 3, 4, 5]]);
});

it('keeps back no more than the pipe holds, however quick the steps are', async () => {
  outbox.add(step(1));
  await outbox.flush();
  outbox.add(step(2, 40_000));
  expect(outbox.due).toBe(false);
  outbox.add(step(3, 40_000));
  expect(outbox.due).toBe(true);
});

it('says nothing when nothing waits', async () => {
  await outbox.flush();
  expect(sent).toEqual([]);
});
