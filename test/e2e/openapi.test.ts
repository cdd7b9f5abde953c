// What the bot sends, from start to buttons, is what Discord's OpenAPI document allows, with every
// schema closed. Skipped where the document is not at hand.

import { expect, test } from 'vitest';
import { openapiChecker } from '../support/openapi.js';
import { done, startWorld } from './support.js';

const checker = openapiChecker();

test.skipIf(checker === undefined)(
  'every request conforms to the OpenAPI document (skipped without it)',
  async () => {
    const world = await startWorld();
    try {
      const { sandbox } = world;
      const ada = sandbox.user('ada');
      const picture = await done(await ada.command('imagine', { prompt: 'a red fox', steps: 4 }));
      await done(await ada.command('imagine', { prompt: 'a secret', steps: 4, private: true }));
      await ada.autocomplete('imagine', 'size', '2', { prompt: 'x' });
      await (await ada.command('reroll')).waitFor();
      await (await ada.command('queue')).waitFor();
      await (await ada.command('steps')).waitFor();
      for (const label of [/reroll/i, /steps/i, /vary/i, /edit/i]) {
        const pressed = await ada.click(picture.id, label);
        await pressed.acknowledged;
      }
      await ada.click(picture.id, /delete/i);
      await sandbox.until(() => sandbox.message(picture.id) === undefined);
      const kinds = new Set(
        sandbox.requests.map(({ method, path }) => `${method} /${path.split('/')[1]}`),
      );
      expect([...kinds].sort()).toEqual(
        expect.arrayContaining([
          'GET /gateway',
          'PATCH /webhooks',
          'POST /interactions',
          'PUT /applications',
        ]),
      );
      checker?.checkRequests(sandbox.requests);
      expect(sandbox.pings).toEqual([]);
    } finally {
      await world.close();
    }
  },
);
