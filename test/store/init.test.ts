// Init images and masks in the store: kept once, for as long as anything begins from them; and a
// database from before there were any.

import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { expect, test } from 'vitest';
import { FILE_NAME } from '../../src/store/open.js';
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/schema.js';
import type { Store } from '../../src/store/types.js';
import {
  freshDirectory,
  freshStore,
  newGeneration,
  PARAMETERS,
  picture,
  REPLY,
} from './support.js';

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;
const bytes = (size: number, value: number) => new Uint8Array(size).fill(value);

async function end(store: Store, id: string): Promise<void> {
  await store.finish(id, { state: 'done', file: picture(10), infotext: '', flagged: false }, NOW);
  await store.delivered(id, null);
}

/** Pictures in the file. The store must be closed. */
function kept(directory: string): number {
  const database = new DatabaseSync(join(directory, FILE_NAME));
  const row = database.prepare('SELECT count(*) AS n FROM pictures').get() as { n: number };
  database.close();
  return row.n;
}

test('an init image and its mask come back byte for byte, and are not carried along by lists', async () => {
  const store = await freshStore();
  const init = { image: bytes(5000, 1), mask: bytes(300, 2) };
  await store.create(newGeneration('g1', { init }));
  await store.create(newGeneration('g2', { init: { image: init.image } }));
  await store.create(newGeneration('g3'));
  expect(await store.init('g1')).toEqual(init);
  expect(await store.init('g2')).toEqual({ image: init.image });
  expect(await store.init('g3')).toBeUndefined();
  expect(await store.init('g4')).toBeUndefined();
  expect(await store.get('g1')).toMatchObject({ hasInit: true, hasMask: true });
  expect(await store.get('g1')).not.toHaveProperty('init');
  expect(await store.get('g2')).toMatchObject({ hasInit: true, hasMask: false });
  expect(await store.get('g3')).toMatchObject({ hasInit: false, hasMask: false });
  // They stay the caller's.
  expect(init.image.length).toBe(5000);
});

test('a later generation begins from the same files, also when the first one is gone', async () => {
  const directory = await freshDirectory();
  const store = await freshStore(directory);
  const init = { image: bytes(5000, 1), mask: bytes(300, 2) };
  await store.create(newGeneration('first', { init }));
  await store.create(newGeneration('again', { init: { from: 'first' } }));
  await store.create(newGeneration('twice', { init: { from: 'again' } }));
  await store.remove('first');
  await store.remove('again');
  expect(await store.init('twice')).toEqual(init);
  const gone = store.create(newGeneration('late', { init: { from: 'first' } }));
  await expect(gone).rejects.toMatchObject({ identifier: 'init-gone' });
  expect(await store.get('late')).toBeUndefined();
  await store.close();
  expect(kept(directory)).toBe(2);
});

test('the same file sent again is kept once, and goes with the last that needs it', async () => {
  const directory = await freshDirectory();
  const store = await freshStore(directory);
  for (const id of ['a', 'b', 'c']) {
    // The mask of one is the image of another: one file still.
    const init =
      id === 'c' ? { image: bytes(9, 9), mask: bytes(5000, 1) } : { image: bytes(5000, 1) };
    await store.create(newGeneration(id, { init }));
  }
  await store.remove('a');
  await store.remove('b');
  expect(await store.init('c')).toEqual({ image: bytes(9, 9), mask: bytes(5000, 1) });
  await store.remove('c');
  await store.close();
  expect(kept(directory)).toBe(0);
});

test('retention counts init images, and removes them with what began from them', async () => {
  const directory = await freshDirectory();
  const store = await freshStore(directory);
  const large = { image: bytes(500_000, 1) };
  await store.create(newGeneration('old', { init: large, createdAt: NOW - 2 * DAY }));
  await store.create(newGeneration('shares', { init: { from: 'old' }, createdAt: NOW - DAY }));
  await store.create(newGeneration('young', { init: { image: bytes(1000, 2) }, createdAt: NOW }));
  for (const id of ['old', 'shares', 'young']) await end(store, id);
  // The first frees little: the file is still needed. The second frees it.
  expect(await store.retain(30, 400_000 / 1e9, NOW)).toMatchObject({
    generations: 2,
    bytes: 500_020,
  });
  expect((await store.latest('u1', 9)).map(({ id }) => id)).toEqual(['young']);
  expect(await store.init('young')).toEqual({ image: bytes(1000, 2) });
  await store.close();
  expect(kept(directory)).toBe(1);
});

test('a database from before there were init images is taken over with all that it holds', async () => {
  const directory = await freshDirectory();
  const database = new DatabaseSync(join(directory, FILE_NAME));
  const { messageId: _, ...reply } = REPLY;
  const text = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''")}'`;
  const row = (id: string, at: number, state: string) =>
    `('${id}', 'u1', ${text(PARAMETERS)}, 'hydrogen [0123456789]', ${text(reply)}, 'm1', ${at}, 20, '${state}')`;
  database.exec(`
    PRAGMA auto_vacuum = INCREMENTAL;
    ${MIGRATIONS[0]};
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = 1;
    INSERT INTO generations
      (id, user_id, parameters, model, reply, message_id, created_at, step_total, state)
    VALUES ${row('done', NOW, 'done')}, ${row('waits', NOW + 1, 'queued')};
    INSERT INTO files VALUES ('done', 'image/png', 8, 8, x'030303');
  `);
  database.close();

  const store = await freshStore(directory);
  expect(await store.get('done')).toMatchObject({
    parameters: PARAMETERS,
    hasFile: true,
    hasInit: false,
    hasMask: false,
    changed: null,
    flagged: false,
  });
  expect((await store.file('done'))?.bytes).toEqual(bytes(3, 3));
  expect((await store.unfinished()).map(({ id }) => id)).toEqual(['done', 'waits']);
  await store.create(newGeneration('new', { init: { image: bytes(10, 1) } }));
  expect(await store.init('new')).toEqual({ image: bytes(10, 1) });
  await store.close();
  const after = new DatabaseSync(join(directory, FILE_NAME));
  expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: MIGRATIONS.length });
  after.close();
});
