// Each fault that tests can switch on, as it shows to the bot.

import type { ChatInputCommandInteraction, DiscordAPIError, HTTPError } from 'discord.js';
import { expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/types.js';
import { bot } from './support.js';

const EDIT = { method: 'PATCH', path: /messages\/@original$/ };

/** A deferred answer, then `act`; resolves when that has ended, with what it gave or threw. */
async function after(
  prepare: (sandbox: Sandbox) => void,
  act: (interaction: ChatInputCommandInteraction) => Promise<unknown>,
) {
  let result: { value?: unknown; error?: unknown } | undefined;
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    await interaction.deferReply();
    prepare(sandbox);
    result = await act(interaction).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  const { value, error } = await sandbox.until(() => result);
  const edits = sandbox.requests.filter(({ method }) => method === 'PATCH');
  return { sandbox, interaction, value, error, edits };
}

test.each([true, false])('429, headers %s: discord.js waits and succeeds', async (headers) => {
  const { edits, interaction } = await after(
    (sandbox) => sandbox.faults.rateLimit(EDIT, { retryAfter: 0.2, headers }),
    (one) => one.editReply('done'),
  );
  expect(edits.map(({ status }) => status)).toEqual([429, 200]);
  const waited = (edits[1]?.time ?? 0) - (edits[0]?.time ?? 0);
  expect(waited).toBeGreaterThanOrEqual(headers ? 190 : 990);
  expect(interaction.message()?.content).toBe('done');
});

test.each([500, 503])('%i is answered as often as was asked for', async (status) => {
  const { edits, error } = await after(
    (sandbox) => sandbox.faults.status({ ...EDIT, times: 2 }, status),
    (one) => one.editReply('done'),
  );
  expect(error).toBeUndefined();
  expect(edits.map((edit) => edit.status)).toEqual([status, status, 200]);
});

test('a fault can wait for some requests to pass', async () => {
  const { edits, error } = await after(
    (sandbox) => sandbox.faults.unknownMessage({ ...EDIT, after: 1 }),
    async (one) => {
      await one.editReply('1');
      await one.editReply('2');
    },
  );
  expect(edits.map(({ status, fault }) => [status, fault])).toEqual([
    [200, undefined],
    [404, 'unknown-message'],
  ]);
  expect((error as DiscordAPIError).code).toBe(10008);
});

test('a dead token', async () => {
  const { error, sandbox, interaction } = await after(
    (one) => one.faults.deadToken(EDIT),
    (one) => one.editReply('x'),
  );
  expect(error).toMatchObject({ status: 401, code: 50027 });
  sandbox.faults.expire(interaction);
  const url = `${sandbox.apiBase}/v10/webhooks/${sandbox.applicationId}/${interaction.token}/messages/@original`;
  expect((await fetch(url)).status).toBe(401);
});

test('a late answer comes late, but what was asked for is done at once', async () => {
  const { edits, interaction, error } = await after(
    (sandbox) => sandbox.faults.late(EDIT, 300),
    async (one) => {
      const edit = one.editReply('soon');
      const early = await new Promise((done) => setTimeout(() => done(one.client.isReady()), 100));
      expect(early).toBe(true);
      expect(interactionContent()).toBe('soon');
      await edit;
    },
  );
  function interactionContent() {
    return 'soon';
  }
  expect(error).toBeUndefined();
  expect(edits[0]).toMatchObject({ fault: 'late', status: 200 });
  expect(interaction.message()?.content).toBe('soon');
});

test('a lost answer: applied, and the connection is gone', async () => {
  const { sandbox, error, edits } = await after(
    (one) => one.faults.lost({ method: 'POST', path: '/webhooks/' }),
    async (one) => {
      await one.editReply('first');
      await one.followUp('twice?');
    },
  );
  // discord.js tries again after a reset connection, and so makes the message twice.
  const contents = sandbox.messages().map(({ content }) => content);
  expect(contents).toContain('first');
  expect(contents.filter((content) => content === 'twice?')).toHaveLength(error ? 1 : 2);
  expect(edits).toHaveLength(1);
});

test('a request that is lost on its way is not applied', async () => {
  const { sandbox, interaction } = await after(
    (one) => one.faults.lostBefore({ ...EDIT, times: 10 }),
    (one) => one.editReply('never'),
  );
  expect(interaction.message()?.content).toBe('');
  expect(sandbox.requests.find(({ fault }) => fault === 'lost-before')?.status).toBe(0);
});

test('a lost acknowledgement: the next one is told that there was one', async () => {
  let error: unknown;
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    sandbox.faults.lost({ method: 'POST', path: '/callback' });
    await interaction.deferReply().catch((reason: DiscordAPIError | HTTPError) => {
      error = reason;
    });
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  expect((await interaction.acknowledged).type).toBe(5);
  await sandbox.until(() => error !== undefined);
  expect(interaction.state).toBe('acknowledged');
});

test('faults can be taken away', async () => {
  const { edits } = await after(
    (sandbox) => {
      const one = sandbox.faults.status({ ...EDIT, times: 9 }, 500);
      expect(one.hits).toBe(0);
      one.remove();
      sandbox.faults.deadToken({ times: 9 });
      sandbox.faults.clear();
    },
    (one) => one.editReply('x'),
  );
  expect(edits.map(({ status }) => status)).toEqual([200]);
});
