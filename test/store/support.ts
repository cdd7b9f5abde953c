// What the store's tests need: a directory of their own, generations, steps.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { toHalf } from '../../src/pipeline/fp16.js';
import type { GenerationParameters, KeptStep } from '../../src/pipeline/types.js';
import { openStore } from '../../src/store/index.js';
import type { NewGeneration, ReplyTarget, Store, StoredFile } from '../../src/store/types.js';

/** A directory that is removed after the test. */
export async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ylem-store-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A store that is closed after the test, in a directory of its own where none is given. */
export async function freshStore(directory?: string): Promise<Store> {
  const store = await openStore(directory ?? (await freshDirectory()));
  onTestFinished(() => store.close());
  return store;
}

export const PARAMETERS: GenerationParameters = {
  prompt: 'a red fox on a meadow',
  negativePrompt: 'rain',
  seed: 0xffff_ffff,
  steps: 20,
  guidanceScale: 7.5,
  width: 64,
  height: 64,
  scheduler: 'Euler a',
};

export const REPLY: ReplyTarget = {
  applicationId: '111111111111111111',
  interactionId: '222222222222222222',
  interactionToken: 'token-of-the-interaction',
  tokenExpiresAt: 1_700_000_900_000,
  channelId: '333333333333333333',
  guildId: null,
  messageId: null,
  ephemeral: false,
  locale: 'de',
  attachmentLimit: 10 * 1024 * 1024,
};

export function newGeneration(id: string, changes: Partial<NewGeneration> = {}): NewGeneration {
  return {
    id,
    userId: 'u1',
    parameters: PARAMETERS,
    model: 'hydrogen [0123456789]',
    parentId: null,
    parentRelation: null,
    branchStep: null,
    branchSeed: null,
    reply: REPLY,
    createdAt: 1_700_000_000_000,
    ...changes,
  };
}

/** A step of [4, side, side] whose values all tell which step it is. */
export function keptStep(index: number, total = 20, side = 8): KeptStep {
  const length = 4 * side * side;
  return {
    index,
    total,
    timestep: 999.5 - index,
    dims: [4, side, side],
    latents: toHalf(Float32Array.from({ length }, (_, at) => (at * 7 + index) / 3)),
    predictedOriginal: toHalf(Float32Array.from({ length }, (_, at) => -(at * 13 + index) / 7)),
  };
}

export function picture(size: number, value = 7): StoredFile {
  return { bytes: new Uint8Array(size).fill(value), type: 'image/png', width: 64, height: 48 };
}
