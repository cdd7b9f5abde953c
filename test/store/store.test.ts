// The store through its worker thread and a real file.

import { chmod, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.js';
import { openStore } from '../../src/store/index.js';
import { FILE_NAME } from '../../src/store/open.js';
import type { Store } from '../../src/store/types.js';
import {
  freshDirectory,
  freshStore,
  keptStep,
  newGeneration,
  PARAMETERS,
  picture,
  REPLY,
} from './support.js';

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;

/** A generation with steps and a file, ended and delivered. */
async function paint(
  store: Store,
  id: string,
  createdAt: number,
  bytes = 1000,
  delivered = true,
): Promise<void> {
  await store.create(newGeneration(id, { createdAt }));
  await store.start(id, createdAt);
  await store.keepStep(id, keptStep(1), new Uint8Array(100));
  await store.finish(
    id,
    { state: 'done', file: picture(bytes), infotext: 'i', flagged: false },
    createdAt + 1,
  );
  if (delivered) await store.delivered(id, `m-${id}`);
}

async function refusal(promise: Promise<unknown>): Promise<UserError> {
  const error = await promise.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof UserError) return error;
  throw error;
}

// Windows knows no such rights.
test.skipIf(process.platform === 'win32')(
  'a database that others may read is made private when it is opened',
  async () => {
    const directory = await freshDirectory();
    await (await openStore(directory)).close();
    const file = join(directory, FILE_NAME);
    await chmod(file, 0o644);
    const store = await openStore(directory);
    for (const path of [file, `${file}-wal`])
      expect((await stat(path)).mode & 0o777, path).toBe(0o600);
    await store.close();
  },
);

describe('a generation', () => {
  test('is kept as it was made, and is queued', async () => {
    const store = await freshStore();
    const made = newGeneration('g1', {
      parentId: 'g0',
      parentRelation: 'branch',
      branchStep: 12,
      branchSeed: 4_000_000_000,
      reply: {
        ...REPLY,
        guildId: '444444444444444444',
        messageId: '555555555555555555',
        ephemeral: true,
      },
    });
    await store.create(made);
    expect(await store.get('g1')).toEqual({
      ...made,
      state: 'queued',
      startedAt: null,
      endedAt: null,
      stepIndex: 0,
      stepTotal: 20,
      failure: null,
      infotext: null,
      changed: null,
      flagged: false,
      delivered: false,
      deliveryStartedAt: null,
      hasFile: false,
      hasInit: false,
      hasMask: false,
    });
    expect(await store.get('g2')).toBeUndefined();
  });

  test.each([
    ['that is empty', ''],
    ['with a mention', '@everyone'],
    ['from right to left with a zero-width space', '\u202Eright to left\u202C \u200B'],
    ['of 6,000 characters of emoji', '🦊'.repeat(3000)],
    ['that looks like SQL', "'; DROP TABLE generations; --"],
    ['with a null character', 'a\0b'],
  ])('keeps a prompt %s to the letter', async (_, prompt) => {
    const store = await freshStore();
    await store.create(newGeneration('g1', { parameters: { ...PARAMETERS, prompt } }));
    expect((await store.get('g1'))?.parameters.prompt).toBe(prompt);
  });

  test('without a scheduler has none, and keeps parameters of later versions', async () => {
    const store = await freshStore();
    const { scheduler: _, ...parameters } = { ...PARAMETERS, strength: 0.5 };
    await store.create(newGeneration('g1', { parameters }));
    expect((await store.get('g1'))?.parameters).toStrictEqual(parameters);
  });

  test('that is none is refused, and one id is not taken twice', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    await expect(store.create(newGeneration('g1'))).rejects.toThrow('UNIQUE');
    const bad = newGeneration('g2', { parameters: { ...PARAMETERS, seed: -1 } });
    await expect(store.create(bad)).rejects.toThrow('seed');
    expect(await store.get('g2')).toBeUndefined();
  });

  test('goes through its states, and the first outcome stands', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    await store.start('g1', NOW + 1);
    expect(await store.get('g1')).toMatchObject({ state: 'running', startedAt: NOW + 1 });
    const file = picture(5);
    await store.finish(
      'g1',
      { state: 'stopped', file, infotext: 'text', flagged: true, changed: 0.25 },
      NOW + 2,
    );
    await store.finish('g1', { state: 'cancelled' }, NOW + 3);
    await store.start('g1', NOW + 4);
    expect(await store.get('g1')).toMatchObject({
      state: 'stopped',
      startedAt: NOW + 1,
      endedAt: NOW + 2,
      infotext: 'text',
      changed: 0.25,
      flagged: true,
      hasFile: true,
    });
    expect(await store.file('g1')).toEqual(file);
  });

  test('that failed keeps the sentence for its owner', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    await store.finish('g1', { state: 'failed', failure: 'The engine died twice.' }, NOW);
    expect(await store.get('g1')).toMatchObject({
      state: 'failed',
      failure: 'The engine died twice.',
      hasFile: false,
    });
    expect(await store.file('g1')).toBeUndefined();
  });

  test('is found by its message, which a fresh reply without one does not take away', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    expect(await store.byMessage('m1')).toBeUndefined();
    await store.setMessage('g1', 'm1');
    expect((await store.byMessage('m1'))?.id).toBe('g1');
    await store.setReply('g1', { ...REPLY, interactionToken: 'fresh' });
    expect((await store.byMessage('m1'))?.reply).toEqual({
      ...REPLY,
      interactionToken: 'fresh',
      messageId: 'm1',
    });
    await store.setReply('g1', { ...REPLY, messageId: 'm2' });
    await store.delivered('g1', null);
    expect((await store.byMessage('m2'))?.delivered).toBe(true);
    expect(await store.byMessage('m1')).toBeUndefined();
  });

  test('of a user comes newest first, on wish only with a picture', async () => {
    const store = await freshStore();
    await paint(store, 'g1', NOW + 1);
    await store.create(newGeneration('g2', { createdAt: NOW + 2 }));
    await paint(store, 'g3', NOW + 3);
    await store.create(newGeneration('g4', { createdAt: NOW + 4, userId: 'u2' }));
    const ids = async (limit: number, withImage?: boolean) =>
      (await store.latest('u1', limit, withImage)).map((each) => each.id);
    expect(await ids(10)).toEqual(['g3', 'g2', 'g1']);
    expect(await ids(10, true)).toEqual(['g3', 'g1']);
    expect(await ids(1)).toEqual(['g3']);
    expect(await store.latest('nobody', 10)).toEqual([]);
  });

  test('is unfinished until its reply is known to have arrived, oldest first', async () => {
    const store = await freshStore();
    await paint(store, 'delivered', NOW + 1);
    await paint(store, 'painted', NOW + 4, 10, false);
    await store.create(newGeneration('running', { createdAt: NOW + 3 }));
    await store.start('running', NOW);
    await store.create(newGeneration('queued', { createdAt: NOW + 2 }));
    await store.create(newGeneration('cancelled', { createdAt: NOW + 5 }));
    await store.finish('cancelled', { state: 'cancelled' }, NOW);
    const ids = async () => (await store.unfinished()).map((each) => each.id);
    expect(await ids()).toEqual(['queued', 'running', 'painted', 'cancelled']);
    await store.deliveryStarted('painted', NOW + 9);
    expect(await store.get('painted')).toMatchObject({
      deliveryStartedAt: NOW + 9,
      delivered: false,
    });
    await store.delivered('painted', 'm9');
    await store.delivered('cancelled', null);
    expect(await ids()).toEqual(['queued', 'running']);
  });

  test('that is removed takes its steps, checkpoint and file along; what comes later does nothing', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    await store.keepStep('g1', keptStep(1), new Uint8Array(3));
    await store.remove('g1');
    await store.keepStep('g1', keptStep(2), new Uint8Array(3));
    await store.finish(
      'g1',
      { state: 'done', file: picture(3), infotext: '', flagged: false },
      NOW,
    );
    await store.delivered('g1', 'm1');
    expect(await store.get('g1')).toBeUndefined();
    expect(await store.steps('g1')).toEqual([]);
    expect(await store.checkpoint('g1')).toBeUndefined();
    expect(await store.file('g1')).toBeUndefined();
    await store.remove('g1');
  });
});

describe('kept steps', () => {
  test('come back in half precision, in order, and one at a time', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    for (let index = 1; index <= 5; index++) {
      await store.keepStep('g1', keptStep(index), Uint8Array.of(index, 255, 0));
    }
    const steps = await store.steps('g1');
    expect(steps).toEqual([1, 2, 3, 4, 5].map((index) => keptStep(index)));
    expect(steps[0]?.latents).toBeInstanceOf(Uint16Array);
    expect(await store.step('g1', 3)).toEqual(keptStep(3));
    expect(await store.step('g1', 6)).toBeUndefined();
    expect(await store.get('g1')).toMatchObject({ stepIndex: 5, stepTotal: 20 });
  });

  test('are given up to the one that is named', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    for (const index of [1, 2, 3, 4]) await store.keepStep('g1', keptStep(index));
    expect((await store.steps('g1', 2)).map((step) => step.index)).toEqual([1, 2]);
    expect(await store.steps('g1', 9)).toHaveLength(4);
  });

  test('leave one checkpoint, the newest, which goes when the generation has ended', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    expect(await store.checkpoint('g1')).toBeUndefined();
    await store.keepStep('g1', keptStep(1), Uint8Array.of(1));
    await store.keepStep('g1', keptStep(2), Uint8Array.of(2, 2));
    expect(await store.checkpoint('g1')).toEqual(Uint8Array.of(2, 2));
    await store.keepStep('g1', keptStep(3)); // told together with a later one
    expect(await store.checkpoint('g1')).toEqual(Uint8Array.of(2, 2));
    await store.finish('g1', { state: 'cancelled' }, NOW);
    expect(await store.checkpoint('g1')).toBeUndefined();
    expect(await store.steps('g1')).toHaveLength(3);
  });

  test('after a resumed one are dropped: the run has been there only once', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    for (const index of [1, 2, 3, 4, 2])
      await store.keepStep('g1', keptStep(index), Uint8Array.of(index));
    expect((await store.steps('g1')).map((step) => step.index)).toEqual([1, 2]);
    expect((await store.get('g1'))?.stepIndex).toBe(2);
  });

  test('that do not have the shape they claim are refused', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    const wrong = { ...keptStep(1), dims: [4, 8, 9] };
    await expect(store.keepStep('g1', wrong, new Uint8Array(1))).rejects.toThrow(
      'Expected `latents` to have 288',
    );
    expect(await store.steps('g1')).toEqual([]);
  });

  test('stay the caller’s: parts of a bigger buffer are copied, and nothing is taken away', async () => {
    const store = await freshStore();
    await store.create(newGeneration('g1'));
    const big = new Uint16Array(1000).fill(9);
    const latents = big.subarray(100, 356);
    const step = { ...keptStep(1), latents };
    const checkpoint = Buffer.from('checkpoint').subarray(5);
    const kept = store.keepStep('g1', step, checkpoint);
    big.fill(0);
    expect(latents.length).toBe(256);
    expect(checkpoint.toString()).toBe('point');
    await kept;
    expect((await store.step('g1', 1))?.latents).toEqual(new Uint16Array(256).fill(9));
    expect(Buffer.from((await store.checkpoint('g1')) ?? []).toString()).toBe('point');
  });
});

test('branches that were asked for together are found by their picture and noise, early ones first', async () => {
  const store = await freshStore();
  const chance = { parentId: 'p', parentRelation: 'chance', branchSeed: 0xffff_ffff } as const;
  await store.create(newGeneration('late', { ...chance, branchStep: 15 }));
  await store.create(newGeneration('early', { ...chance, branchStep: 1 }));
  await store.create(newGeneration('other noise', { ...chance, branchStep: 1, branchSeed: 3 }));
  await store.create(newGeneration('elsewhere', { ...chance, branchStep: 1, parentId: 'q' }));
  const alone = { ...chance, parentRelation: 'branch', branchStep: 2 } as const;
  await store.create(newGeneration('alone', alone));
  const found = await store.chances('p', 0xffff_ffff);
  expect(found.map(({ id }) => id)).toEqual(['early', 'late']);
  expect(await store.chances('p', 4)).toEqual([]);
});

test('settings are kept, and the last value counts', async () => {
  const directory = await freshDirectory();
  const store = await openStore(directory);
  expect(await store.setting('commands')).toBeUndefined();
  await store.setSetting('commands', 'one');
  await store.setSetting('commands', 'two');
  await store.close();
  const again = await freshStore(directory);
  expect(await again.setting('commands')).toBe('two');
});

test('a setting with an end is gone with the housekeeping after it, others stay', async () => {
  const store = await freshStore();
  await store.setSetting('stays', 'a');
  await store.setSetting('ends', 'b', NOW + 1000);
  await store.setSetting('goes on', 'c', NOW + 1000);
  await store.setSetting('goes on', 'd', NOW + 2000);
  await store.retain(1, 1, NOW + 999);
  expect(await store.setting('ends')).toBe('b');
  await store.retain(1, 1, NOW + 1000);
  expect(await store.setting('ends')).toBeUndefined();
  expect(await store.setting('stays')).toBe('a');
  expect(await store.setting('goes on')).toBe('d');
});

describe('calls at the same time', () => {
  test('are carried out in their order, and one that fails leaves the others alone', async () => {
    const store = await freshStore();
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < 200; index++) {
      const id = `g${index}`;
      calls.push(store.create(newGeneration(id, { createdAt: NOW + index })));
      if (index % 10 === 0) {
        const twice = store.create(newGeneration(id));
        calls.push(expect(twice).rejects.toThrow('UNIQUE'));
      }
      calls.push(store.start(id, index));
      calls.push(
        store
          .get(id)
          .then((found) => expect(found).toMatchObject({ id, state: 'running', startedAt: index })),
      );
      calls.push(store.keepStep(id, keptStep(1), Uint8Array.of(index)));
    }
    await Promise.all(calls);
    expect(await store.unfinished()).toHaveLength(200);
    expect(await store.checkpoint('g199')).toEqual(Uint8Array.of(199));
  });

  test('that were made before the store is closed are answered; later ones are refused', async () => {
    const directory = await freshDirectory();
    const store = await openStore(directory);
    const created = store.create(newGeneration('g1'));
    const closed = store.close();
    await expect(store.get('g1')).rejects.toThrow('closed');
    await created;
    await closed;
    await store.close();
    expect(await (await freshStore(directory)).get('g1')).toBeDefined();
  });
});

describe('retention', () => {
  test('removes what is older, says how much, and leaves the rest', async () => {
    const store = await freshStore();
    for (let index = 0; index < 20; index++)
      await paint(store, `old${index}`, NOW - 31 * DAY + index);
    await paint(store, 'young', NOW - 29 * DAY);
    const each = 1000 + 2 * 2 * 4 * 8 * 8;
    expect(await store.retain(30, 5, NOW)).toEqual({ generations: 20, bytes: 20 * each });
    expect((await store.latest('u1', 100)).map((found) => found.id)).toEqual(['young']);
    expect(await store.retain(30, 5, NOW)).toEqual({ generations: 0, bytes: 0 });
  });

  test('removes the oldest until the rest fits', async () => {
    const store = await freshStore();
    for (let index = 0; index < 10; index++) await paint(store, `g${index}`, NOW + index, 99_000);
    const report = await store.retain(30, 350_000 / 1e9, NOW);
    expect(report.generations).toBe(7);
    expect((await store.latest('u1', 100)).map((found) => found.id)).toEqual(['g9', 'g8', 'g7']);
  });

  test('leaves what is just as old as it may be', async () => {
    const store = await freshStore();
    await paint(store, 'older', NOW - 30 * DAY - 1);
    await paint(store, 'as old', NOW - 30 * DAY);
    expect((await store.retain(30, 5, NOW)).generations).toBe(1);
    expect((await store.latest('u1', 100)).map((found) => found.id)).toEqual(['as old']);
  });

  test('removes nothing while all together have just what they may', async () => {
    const store = await freshStore();
    const step = 2 * 2 * 4 * 8 * 8;
    await paint(store, 'g1', NOW, 400_000 - step);
    await paint(store, 'g2', NOW + 1, 600_000 - step);
    expect(await store.retain(30, 0.001, NOW)).toEqual({ generations: 0, bytes: 0 });
    await paint(store, 'g3', NOW + 2, 1);
    expect((await store.retain(30, 0.001, NOW)).generations).toBe(1);
  });

  test('never touches what is unfinished, undelivered, or needed by a branch that waits', async () => {
    const store = await freshStore();
    const old = NOW - 100 * DAY;
    await paint(store, 'parent', old);
    await paint(store, 'undelivered', old, 1000, false);
    await store.create(newGeneration('queued', { createdAt: old }));
    await store.create(newGeneration('running', { createdAt: old }));
    await store.start('running', old);
    await store.create(
      newGeneration('branch', {
        createdAt: NOW,
        parentId: 'parent',
        parentRelation: 'branch',
        branchStep: 1,
        branchSeed: 1,
      }),
    );
    expect(await store.retain(1, 0.0000001, NOW)).toEqual({ generations: 0, bytes: 0 });
    await store.finish('branch', { state: 'cancelled' }, NOW);
    expect((await store.retain(1, 5, NOW)).generations).toBe(1);
    expect(await store.get('parent')).toBeUndefined();
    expect((await store.unfinished()).map((each) => each.id).sort()).toEqual([
      'branch',
      'queued',
      'running',
      'undelivered',
    ]);
  });

  test('keeps what a branch of a branch goes on from while it waits', async () => {
    const store = await freshStore();
    const branch = { parentRelation: 'branch', branchStep: 1, branchSeed: 1 } as const;
    await paint(store, 'first', NOW - 100 * DAY);
    await store.create(
      newGeneration('second', { createdAt: NOW - 99 * DAY, parentId: 'first', ...branch }),
    );
    await store.finish(
      'second',
      { state: 'done', file: picture(9), infotext: 'i', flagged: false },
      NOW,
    );
    await store.delivered('second', 'm');
    await store.create(newGeneration('third', { createdAt: NOW, parentId: 'second', ...branch }));
    expect((await store.retain(30, 5, NOW)).generations).toBe(0);
    await store.finish('third', { state: 'cancelled' }, NOW);
    expect((await store.retain(30, 5, NOW)).generations).toBe(2);
  });

  test('gives the space back to the disk', async () => {
    const directory = await freshDirectory();
    const store = await openStore(directory);
    for (let index = 0; index < 12; index++)
      await paint(store, `g${index}`, NOW - 40 * DAY, 2_000_000);
    await paint(store, 'young', NOW, 2_000_000);
    expect((await store.retain(30, 5, NOW)).generations).toBe(12);
    expect((await stat(join(directory, FILE_NAME))).size).toBeLessThan(4_000_000);
    expect((await store.file('young'))?.bytes.length).toBe(2_000_000);
    await store.close();
  });
});

describe('a directory', () => {
  test('is made where it is missing, and no other file is left in it after closing', async () => {
    const directory = join(await freshDirectory(), 'deep', 'down');
    const store = await openStore(directory);
    await store.create(newGeneration('g1'));
    await store.close();
    expect((await readFile(join(directory, FILE_NAME))).subarray(0, 15).toString()).toBe(
      'SQLite format 3',
    );
    await expect(stat(join(directory, `${FILE_NAME}-wal`))).rejects.toThrow('ENOENT');
  });

  test('that a running bot uses is refused, and is free when it has ended', async () => {
    const directory = await freshDirectory();
    const first = await openStore(directory);
    await first.create(newGeneration('g1'));
    const { identifier, message } = await refusal(openStore(directory));
    expect(identifier).toBe('store-in-use');
    expect(message).toContain(join(directory, FILE_NAME));
    await first.close();
    const second = await freshStore(directory);
    expect((await second.get('g1'))?.id).toBe('g1');
  });

  test('that cannot be made is named', async () => {
    const file = join(await freshDirectory(), 'file');
    await writeFile(file, 'here already');
    const { identifier, message } = await refusal(openStore(join(file, 'data')));
    expect(identifier).toBe('store-unwritable');
    expect(message).toContain('YLEM_DATA_DIR');
  });

  test('whose database is a directory is refused', async () => {
    const directory = await freshDirectory();
    await mkdir(join(directory, FILE_NAME));
    expect((await refusal(openStore(directory))).identifier).toBe('store-unwritable');
  });
});

describe('a database file', () => {
  async function made(): Promise<{ directory: string; file: string }> {
    const directory = await freshDirectory();
    const store = await openStore(directory);
    for (let index = 0; index < 40; index++) await paint(store, `g${index}`, NOW, 20_000);
    await store.close();
    return { directory, file: join(directory, FILE_NAME) };
  }

  test('that is none is refused as it is', async () => {
    const directory = await freshDirectory();
    const file = join(directory, FILE_NAME);
    const text = 'this is no database at all. '.repeat(100);
    await writeFile(file, text);
    const { identifier, message } = await refusal(openStore(directory));
    expect(identifier).toBe('store-damaged');
    expect(message).toContain(file);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('that was cut off is refused', async () => {
    const { directory, file } = await made();
    await truncate(file, Math.floor((await stat(file)).size / 2 / 4096) * 4096);
    expect((await refusal(openStore(directory))).identifier).toBe('store-damaged');
  });

  test('with garbage in its middle is refused', async () => {
    const { directory, file } = await made();
    const bytes = await readFile(file);
    bytes.fill(0xa5, 4096, 4096 * 6);
    await writeFile(file, bytes);
    expect((await refusal(openStore(directory))).identifier).toBe('store-damaged');
  });

  test('of a newer version is refused and not changed', async () => {
    const { directory, file } = await made();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99');
    database.close();
    const { identifier, message } = await refusal(openStore(directory));
    expect(identifier).toBe('store-newer');
    expect(message).toContain('99');
    const after = new DatabaseSync(file);
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 99 });
    after.close();
  });

  test('of another program is refused', async () => {
    const directory = await freshDirectory();
    const database = new DatabaseSync(join(directory, FILE_NAME));
    database.exec('CREATE TABLE theirs (x)');
    database.close();
    expect((await refusal(openStore(directory))).identifier).toBe('store-foreign');
  });

  test('that is empty becomes a new one', async () => {
    const directory = await freshDirectory();
    await writeFile(join(directory, FILE_NAME), '');
    const store = await freshStore(directory);
    expect(await store.unfinished()).toEqual([]);
  });
});

test('an answer that somebody waits for is open until it is closed, or a generation takes it over', async () => {
  const directory = await freshDirectory();
  const before = await freshStore(directory);
  const answer = (interactionId: string) => ({
    ...{ applicationId: 'a', interactionId, interactionToken: 't', tokenExpiresAt: 1 },
    ...{ channelId: 'c', ephemeral: true, locale: 'de' },
  });
  for (const id of ['told', 'painted', 'left']) await before.openAnswer(answer(id));
  await before.closeAnswer('told');
  await before.create(newGeneration('g', { reply: { ...REPLY, interactionId: 'painted' } }));
  await before.close();
  const after = await freshStore(directory);
  expect(await after.openAnswers()).toEqual([answer('left')]);
});
