// Each fault that tests can switch on, as it shows to the bot.

import type { ChatInputCommandInteraction, DiscordAPIError } from 'discord.js';
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
  let shown: string | undefined;
  let settled = false;
  const { edits, error } = await after(
    (sandbox) => {
      sandbox.faults.late(EDIT, 300);
      void sandbox
        .until(() => sandbox.messages().find((message) => message.content === 'soon'))
        .then((message) => {
          shown = settled ? undefined : message.content;
        });
    },
    async (one) => {
      await one.editReply('soon');
      settled = true;
    },
  );
  expect(error).toBeUndefined();
  expect(shown).toBe('soon');
  expect(edits[0]).toMatchObject({ fault: 'late', status: 200 });
});

test('a lost answer: applied, and the connection is gone', async () => {
  const { sandbox, error } = await after(
    (one) => one.faults.lost({ method: 'POST', path: '/webhooks/' }),
    async (one) => {
      await one.editReply('first');
      await one.followUp('second');
    },
  );
  expect(error).toMatchObject({ code: 'UND_ERR_SOCKET' });
  expect(sandbox.messages().map(({ content }) => content)).toEqual(['first', 'second']);
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
  const codes: unknown[] = [];
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    sandbox.faults.lost({ method: 'POST', path: '/callback' });
    const { id, token, client } = interaction;
    for (let attempt = 0; attempt < 2; attempt++) {
      await client.rest
        .post(`/interactions/${id}/${token}/callback`, { body: { type: 5 }, auth: false })
        .catch((error: { code: unknown }) => codes.push(error.code));
    }
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  expect((await interaction.acknowledged).type).toBe(5);
  await sandbox.until(() => codes.length === 2);
  expect(codes).toEqual(['UND_ERR_SOCKET', 40060]);
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
