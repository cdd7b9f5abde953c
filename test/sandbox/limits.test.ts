// Discord's limits, as they show to the bot: time, size, number and shape.

import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  type DiscordAPIError,
  MessageFlags,
} from 'discord.js';
import { expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/types.js';
import { bot, PIXEL } from './support.js';

/** Runs one command against `answer` and resolves with the error that it ends in. */
async function failure(
  answer: (interaction: ChatInputCommandInteraction, sandbox: Sandbox) => Promise<unknown>,
  options: Parameters<typeof bot>[1] = {},
): Promise<DiscordAPIError> {
  let error: unknown;
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    error = await answer(interaction, sandbox).then(
      () => new Error('it was let through'),
      (reason: unknown) => reason,
    );
  }, options);
  await sandbox.user().command('paint', { prompt: 'x' });
  await sandbox.until(() => error !== undefined, { what: 'the error' });
  return error as DiscordAPIError;
}

test('an acknowledgement after the limit finds no interaction, and the person is told', async () => {
  let error: unknown;
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    await pressed;
    error = await interaction.deferReply().catch((reason: unknown) => reason);
  });
  sandbox.limits.acknowledge = 50;
  let release: () => void = () => undefined;
  const pressed = new Promise<void>((done) => {
    release = done;
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  await expect(interaction.acknowledged).rejects.toThrow('The application did not respond');
  expect(interaction.state).toBe('failed');
  release();
  await sandbox.until(() => error !== undefined);
  expect(error).toMatchObject({ status: 404, code: 10062 });
});

test('a second acknowledgement is refused, also when both come at once', async () => {
  const results: unknown[] = [];
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const { id, token, client } = interaction;
    const defer = () =>
      client.rest
        .post(`/interactions/${id}/${token}/callback`, { body: { type: 5 }, auth: false })
        .then(
          () => 'taken',
          (error: DiscordAPIError) => error.code,
        );
    results.push(...(await Promise.all([defer(), defer(), defer()])));
  });
  await sandbox.user().command('paint', { prompt: 'x' });
  await sandbox.until(() => results.length === 3);
  expect(results.sort()).toEqual([40060, 40060, 'taken']);
});

test('a token is dead after its time, for edits as for follow-ups', async () => {
  const codes: unknown[] = [];
  const { sandbox } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    await interaction.deferReply();
    sandbox.limits.token = 0;
    for (const call of [
      () => interaction.editReply('x'),
      () => interaction.followUp('x'),
      () => interaction.deleteReply(),
    ]) {
      codes.push(await call().catch((error: DiscordAPIError) => [error.status, error.code]));
    }
  });
  await sandbox.user().command('paint', { prompt: 'x' });
  await sandbox.until(() => codes.length === 3);
  expect(codes).toEqual([
    [401, 50027],
    [401, 50027],
    [401, 50027],
  ]);
});

test('a file above the limit is refused, one of exactly the limit is taken', async () => {
  const upload = (size: number) => (interaction: ChatInputCommandInteraction) =>
    interaction.reply({ files: [new AttachmentBuilder(Buffer.alloc(size), { name: 'a.bin' })] });
  const options = { attachmentLimit: 1000 };
  expect(await failure(upload(1001), options)).toMatchObject({ status: 413, code: 40005 });
  expect(await failure(upload(50_000_000), options)).toMatchObject({ status: 413, code: 40005 });
  expect(await failure(upload(1000), options)).toMatchObject({ message: 'it was let through' });
});

test('a refused answer leaves the interaction open for a better one', async () => {
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const { id, token, client } = interaction;
    const body = { type: 4, data: { content: 'x'.repeat(2001) } };
    const route = `/interactions/${id}/${token}/callback` as const;
    await expect(client.rest.post(route, { body, auth: false })).rejects.toMatchObject({
      code: 50035,
    });
    await interaction.reply('short');
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  expect((await interaction.waitFor()).content).toBe('short');
  expect(errors).toEqual([]);
});

const text = (content: string) => ({ type: 10, content });
const button = (custom_id: string, more: object = {}) => ({
  type: 2,
  style: 1,
  label: 'x',
  custom_id,
  ...more,
});
const row = (...components: object[]) => ({ type: 1, components });
const V2 = { flags: MessageFlags.IsComponentsV2 };

test.each<[string, object, string]>([
  ['2001 characters', { content: 'é'.repeat(2001) }, 'content'],
  ['11 embeds', { embeds: Array(11).fill({ title: 'x' }) }, 'embeds'],
  [
    'embeds of 6001 characters',
    { embeds: [{ description: 'x'.repeat(4000) }, { description: 'x'.repeat(2001) }] },
    'embeds',
  ],
  ['an embed field without a value', { embeds: [{ fields: [{ name: 'x' }] }] }, 'value'],
  [
    'an embed with a picture that is not there',
    { embeds: [{ image: { url: 'attachment://x.png' } }] },
    'url',
  ],
  [
    '6 rows',
    { components: Array.from({ length: 6 }, (_, i) => row(button(`${i}`))) },
    'components',
  ],
  [
    '6 buttons in a row',
    { components: [row(...Array.from({ length: 6 }, (_, i) => button(`${i}`)))] },
    'components',
  ],
  ['the same custom id twice', { components: [row(button('a'), button('a'))] }, 'custom_id'],
  ['a custom id of 101 characters', { components: [row(button('a'.repeat(101)))] }, 'custom_id'],
  [
    'a label of 81 characters',
    { components: [row(button('a', { label: 'x'.repeat(81) }))] },
    'label',
  ],
  [
    'a button without a label',
    { components: [row({ type: 2, style: 1, custom_id: 'a' })] },
    'components',
  ],
  [
    'a select without options',
    { components: [row({ type: 3, custom_id: 'a', options: [] })] },
    'options',
  ],
  [
    'a select with 26 options',
    {
      components: [
        row({
          type: 3,
          custom_id: 'a',
          options: Array.from({ length: 26 }, (_, i) => ({ label: 'x', value: `${i}` })),
        }),
      ],
    },
    'options',
  ],
  ['a button outside a row', { components: [button('a')] }, 'type'],
  ['V2 components without the flag', { components: [text('x')] }, 'type'],
  ['V2 with content', { ...V2, content: 'x', components: [text('x')] }, 'content'],
  ['V2 with embeds', { ...V2, embeds: [{ title: 'x' }], components: [text('x')] }, 'embeds'],
  [
    'V2 with 41 components',
    { ...V2, components: [{ type: 17, components: Array(40).fill(text('x')) }] },
    'components',
  ],
  [
    'V2 with 4001 characters',
    { ...V2, components: [text('x'.repeat(2000)), text('x'.repeat(2001))] },
    'components',
  ],
  [
    'a gallery of 11 pictures',
    {
      ...V2,
      components: [
        { type: 12, items: Array(11).fill({ media: { url: 'https://example.org/a.png' } }) },
      ],
    },
    'items',
  ],
  [
    'a section without an accessory',
    { ...V2, components: [{ type: 9, components: [text('x')] }] },
    'accessory',
  ],
  [
    'a container in a container',
    { ...V2, components: [{ type: 17, components: [{ type: 17, components: [text('x')] }] }] },
    'type',
  ],
  ['a flag that only Discord sets', { content: 'x', flags: 1 << 7 }, 'flags'],
  ['an attachment that is not there', { content: 'x', attachments: [{ id: '5' }] }, 'attachments'],
])('%s: 400 with the place in the body', async (_name, data, place) => {
  const error = await failure(({ id, token, client }) =>
    client.rest.post(`/interactions/${id}/${token}/callback`, {
      body: { type: 4, data },
      auth: false,
    }),
  );
  expect(error).toMatchObject({ status: 400, code: 50035 });
  expect(JSON.stringify((error.rawError as { errors: unknown }).errors)).toContain(`"${place}":`);
});

test('the V2 flag cannot stand on a deferral and cannot be taken back', async () => {
  const outcomes: unknown[] = [];
  const { sandbox, errors } = await bot(async (interaction) => {
    if (!interaction.isChatInputCommand()) return;
    const { id, token, client } = interaction;
    const route = `/interactions/${id}/${token}/callback` as const;
    await expect(
      client.rest.post(route, { body: { type: 5, data: V2 }, auth: false }),
    ).rejects.toMatchObject({ code: 50035 });
    await interaction.deferReply();
    const components = [
      {
        type: 17,
        components: [
          text('hello'),
          { type: 12, items: [{ media: { url: 'attachment://p.png' }, description: 'dot' }] },
        ],
      },
    ];
    const files = [new AttachmentBuilder(PIXEL, { name: 'p.png' })];
    await interaction.editReply({ flags: MessageFlags.IsComponentsV2, components, files });
    await expect(interaction.editReply({ content: 'text' })).rejects.toMatchObject({ code: 50035 });
    outcomes.push(await interaction.fetchReply());
  });
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  await sandbox.until(() => outcomes.length > 0 || errors.length > 0);
  expect(errors).toEqual([]);
  const message = interaction.message();
  expect(message?.flags).toBe(MessageFlags.IsComponentsV2);
  expect(message?.components).toMatchObject([
    {
      type: 17,
      id: 1,
      components: [
        { type: 10, id: 2 },
        {
          type: 12,
          id: 3,
          items: [
            { description: 'dot', media: { width: 1, height: 1, content_type: 'image/png' } },
          ],
        },
      ],
    },
  ]);
  const media = JSON.stringify(message?.components);
  expect((await fetch(/"url":"([^"]+)"/.exec(media)?.[1] ?? '')).status).toBe(200);
});

test('five edits in a window pass with falling counts, the sixth waits for its end', async () => {
  const edits: { remaining: number; limit: number; bucket: string | null }[] = [];
  let refused: { retryAfter: number; scope: string | null; body: unknown } | undefined;
  const { sandbox, errors } = await bot(
    async (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      await interaction.deferReply();
      const url = `${sandbox.apiBase}/v10/webhooks/${interaction.applicationId}/${interaction.token}/messages/@original`;
      const edit = (content: string) =>
        fetch(url, {
          method: 'PATCH',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ content }),
        });
      for (let index = 0; index < 5; index++) {
        const { headers } = await edit(`${index}`);
        edits.push({
          remaining: Number(headers.get('x-ratelimit-remaining')),
          limit: Number(headers.get('x-ratelimit-limit')),
          bucket: headers.get('x-ratelimit-bucket'),
        });
      }
      const sixth = await edit('too much');
      expect(sixth.status).toBe(429);
      refused = {
        retryAfter: Number(sixth.headers.get('retry-after')),
        scope: sixth.headers.get('x-ratelimit-scope'),
        body: await sixth.json(),
      };
      // discord.js waits by itself.
      await interaction.editReply('after the window');
    },
    { limits: { rateWindow: 700 } },
  );
  const interaction = await sandbox.user().command('paint', { prompt: 'x' });
  await interaction.waitFor((message) => message.content === 'after the window');
  expect(errors).toEqual([]);
  expect(edits.map(({ remaining }) => remaining)).toEqual([4, 3, 2, 1, 0]);
  expect(new Set(edits.map(({ bucket }) => bucket)).size).toBe(1);
  expect(edits[0]?.limit).toBe(5);
  expect(refused).toMatchObject({ retryAfter: 1, scope: 'user', body: { global: false } });
  expect(interaction.message()?.content).not.toBe('too much');
});
