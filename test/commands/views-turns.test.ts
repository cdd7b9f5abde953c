// Views of steps: so many at a time, users in turns, and of one message the newest alone.

import { expect, test } from 'vitest';
import { Superseded, Views } from '../../src/commands/views.js';

/** A piece of work that ends when it is told to, and says that it has begun. */
function work() {
  let end = () => {};
  let begin = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const run = async () => {
    begin();
    await ended;
  };
  return { run, end: () => end(), begun };
}

test('a person has so many at a time and no more, and others are not kept from theirs', async () => {
  const views = new Views(1);
  const jobs = [work(), work(), work()];
  const drawn = jobs.map(({ run }) => {
    views.check('ada');
    return views.draw('ada', run);
  });
  expect(() => views.check('ada')).toThrow(expect.objectContaining({ identifier: 'views-busy' }));
  views.check('ben');
  const order: string[] = [];
  const ben = views.draw('ben', async () => {
    order.push('ben');
  });
  drawn[1]!.then(() => order.push('ada'));
  for (const { end } of jobs) end();
  await Promise.all([...drawn, ben]);
  expect(order).toEqual(['ben', 'ada']); // after ada's first, though asked for after her second
  views.check('ada');
});

test('a newer view of a message takes the place of one that waits, not of one being drawn', async () => {
  const views = new Views(1);
  const first = work();
  const drawn = views.draw('ada', first.run, 'm1');
  await first.begun;
  views.check('ada', 'm1');
  const second = views.draw('ada', () => Promise.reject(new Error('drawn')), 'm1');
  const other = views.draw('ada', async () => {}, 'm2');
  views.check('ada', 'm1');
  await expect(second).rejects.toBeInstanceOf(Superseded);
  const third = views.draw('ada', async () => {}, 'm1');
  first.end();
  await Promise.all([drawn, other, third]);
});
