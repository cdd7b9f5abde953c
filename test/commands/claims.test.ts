// Private pictures that wait for their owner, in a real store.

import { expect, test } from 'vitest';
import { Claims } from '../../src/commands/claims.js';
import { freshDirectory, freshStore } from '../store/support.js';

test('what waits is taken once, in its order, by the one it waits for', async () => {
  const claims = new Claims(await freshStore());
  await claims.add('ada', 'one');
  await claims.add('ada', 'two');
  await claims.add('ben', 'three');
  await claims.add('ada', 'one');
  const both = await Promise.all([claims.take('ada'), claims.take('ada')]);
  expect(both.flat()).toEqual(['two', 'one']);
  expect(await claims.take('ada')).toEqual([]);
  // One was sent, the other could not be.
  await claims.done('ada', 'two');
  claims.putBack('one');
  expect(await claims.take('ada')).toEqual(['one']);
  expect(await claims.take('ben')).toEqual(['three']);
  expect(await claims.take('cleo')).toEqual([]);
});

test('it waits over a restart, also where that cut its sending off; what was sent does not come again', async () => {
  const directory = await freshDirectory();
  const before = await freshStore(directory);
  const claims = new Claims(before);
  for (let n = 0; n < 12; n++) await claims.add('ada', `g${n}`);
  await claims.add('ben', 'sent');
  await claims.add('ben', 'cut off');
  await claims.take('ben');
  await claims.done('ben', 'sent');
  await before.close();
  const after = new Claims(await freshStore(directory));
  // The newest ten: a person who is away for long is not flooded.
  expect(await after.take('ada')).toEqual(Array.from({ length: 10 }, (_, n) => `g${n + 2}`));
  expect(await after.take('ben')).toEqual(['cut off']);
});
