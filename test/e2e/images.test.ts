// Pictures that begin from pictures: as options of /imagine, from a message's menu, again and again,
// over restarts; and what nobody should be able to send.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MessageFlags } from 'discord-api-types/v10';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readText, withText } from '../../src/pipeline/image/png.js';
import type { APIMessage, OptionFile, SandboxUser } from '../../src/sandbox/types.js';
import {
  allPictures,
  customIds,
  done,
  isDone,
  pictures,
  seedOf,
  startWorld,
  TINY_MODEL,
  type World,
} from './support.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world?.close();
});

const STEPS = { steps: 6, scheduler: 'DDIM' } as const;

/** A picture's file that claims to have so many pixels per side. */
async function claiming(side: number): Promise<Buffer> {
  const bytes = Buffer.from(await stripes(1));
  bytes.writeUInt32BE(side, 16);
  bytes.writeUInt32BE(side, 20);
  return bytes;
}

/** A picture of stripes in one colour. */
async function stripes(
  red: number,
  width = 96,
  height = 64,
  kind: 'png' | 'jpeg' | 'gif' = 'png',
): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    i % 3 === 0 ? red : Math.floor(i / 30) % 2 === 0 ? 40 : 200,
  );
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    [kind]()
    .toBuffer();
}

const file = (bytes: Uint8Array, name = 'mine.png'): OptionFile => ({ name, bytes });

/** What a picture's file says of how it was made. */
const infotext = (png: Uint8Array) => readText(png, 'parameters') ?? '';

async function bytes(message: APIMessage): Promise<Buffer> {
  const [picture] = pictures(message);
  if (picture === undefined) throw new Error('there is no picture');
  return world.sandbox.download(picture);
}

/** As A1111 writes it of a picture made from another. */
const ELSEWHERE =
  'a castle, (moon:1.2)\nNegative prompt: fog\nSteps: 7, Sampler: Euler a, CFG scale: 3.5, Seed: 42, ' +
  'Size: 101x64, Model hash: 0123456789, Model: somebody-elses, Denoising strength: 0.4, Clip skip: 2, RNG: NV, Version: v1.10.1';

/** What a person is told in private, while nothing stays behind in public. */
async function refusal(
  user: SandboxUser,
  options: Parameters<SandboxUser['command']>[1],
): Promise<APIMessage> {
  const seen = new Set(user.messages().map((message) => message.id));
  const [before, painted] = [publicCount(), allPictures(world.sandbox).length];
  await user.command('imagine', options);
  const told = await user.waitFor(
    (message) => !seen.has(message.id) && (Number(message.flags) & MessageFlags.Ephemeral) !== 0,
    { what: 'a private sentence' },
  );
  await world.sandbox.until(() => publicCount() === before, { what: 'the public reply to go' });
  expect(allPictures(world.sandbox)).toHaveLength(painted);
  return told;
}

const publicCount = () =>
  world.sandbox.messages().filter((m) => (Number(m.flags) & MessageFlags.Ephemeral) === 0).length;

test('an image decides the picture and its proportions, with the strength', async () => {
  const ada = world.sandbox.user('ada');
  const paint = async (red: number, strength: number) => {
    const options = { prompt: 'a fox', seed: 5, strength, ...STEPS };
    const image = file(await stripes(red));
    const message = await done(await ada.command('imagine', { ...options, image }));
    return { message, bytes: await bytes(message) };
  };
  const one = await paint(10, 0.5);
  expect(one.message.content).toContain('from an image, strength 0.5');
  const shape = pictures(one.message)[0];
  expect((shape?.width ?? 0) / (shape?.height ?? 1)).toBeCloseTo(1.5, 0);
  expect(infotext(one.bytes)).toContain('Denoising strength: 0.5');
  // The same again is the same; another image or strength is not.
  expect((await paint(10, 0.5)).bytes.equals(one.bytes)).toBe(true);
  expect((await paint(250, 0.5)).bytes.equals(one.bytes)).toBe(false);
  expect((await paint(10, 0.9)).bytes.equals(one.bytes)).toBe(false);
});

test('a mask says where; without a strength what is masked is painted anew altogether', async () => {
  const ada = world.sandbox.user('ada');
  const image = file(await stripes(10, 64, 64));
  const half = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#000' } })
    .composite([
      {
        input: { create: { width: 32, height: 64, channels: 3, background: '#fff' } },
        left: 0,
        top: 0,
      },
    ])
    .png()
    .toBuffer();
  const options = { prompt: 'a fox', seed: 5, image, ...STEPS };
  const whole = await done(await ada.command('imagine', { ...options, strength: 1 }));
  const masked = await done(await ada.command('imagine', { ...options, mask: file(half) }));
  expect(masked.content).toContain('from an image with a mask, strength 1');
  expect((await bytes(masked)).equals(await bytes(whole))).toBe(false);
});

test('several at once, rerolls, variations, steps and edits begin from the same image', async () => {
  const ada = world.sandbox.user('ada');
  const options = { prompt: 'a fox', seed: 50, strength: 0.7, count: 2, ...STEPS };
  const asked = await ada.command('imagine', { ...options, image: file(await stripes(90)) });
  await world.sandbox.until(() => asked.messages().filter(isDone).length === 2, {
    what: 'both pictures',
  });
  const [first, second] = asked.messages();
  if (first === undefined || second === undefined) throw new Error('a picture is missing');
  expect(asked.messages().map(seedOf).sort()).toEqual([50, 51]);
  expect((await bytes(first)).equals(await bytes(second))).toBe(false);

  const again = await done(await ada.click(second, /^reroll:/));
  expect(again.content).toContain('from an image, strength 0.7');
  const twice = await done(await ada.click(again, /^vary:.*:strong$/));
  expect(twice.content).toContain('from an image');
  const steps = await ada.click(again, /^steps:/);
  await steps.waitFor((m) => m.attachments[0]?.filename.startsWith('sheet-'));

  const opened = await ada.click(again, /^edit:/);
  await opened.acknowledged;
  expect(JSON.stringify(opened.modal)).toContain('"custom_id":"strength"');
  const edited = await done(await ada.submitModal(opened, { strength: '0,4', seed: '50' }));
  expect(edited.content).toContain('from an image, strength 0.4');
  // What began from the same file with the same settings is the same picture.
  const same = await ada.click(edited, /^edit:/);
  await same.acknowledged;
  const back = await done(await ada.submitModal(same, { strength: '0.7' }));
  const original = asked.messages().find((m) => seedOf(m) === 50);
  expect((await bytes(back)).equals(await bytes(original as APIMessage))).toBe(true);
});

test("somebody else's press on such a picture makes it theirs; only the owner deletes it", async () => {
  const [ada, ben] = [world.sandbox.user('ada'), world.sandbox.user('ben')];
  const image = file(await stripes(30));
  const mine = await done(await ada.command('imagine', { prompt: 'mine', image, ...STEPS }));
  const theirs = await done(await ben.click(mine, /^reroll:/));
  expect(theirs.content).toContain('from an image');
  const refused = await (await ben.click(mine, /^delete:/)).waitFor();
  expect(refused.content).toMatch(/only/i);
  // Ada's is deleted; what Ben made of it still has its image.
  await ada.click(mine, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(mine.id) === undefined);
  const after = await done(await ben.click(theirs, /^reroll:/));
  expect(after.content).toContain('from an image');
});

test.each<[string, () => Promise<Parameters<SandboxUser['command']>[1]>, RegExp]>([
  [
    'a text by the name of a picture',
    async () => ({ image: file(Buffer.from('not a picture at all')) }),
    /init image must be a whole PNG/,
  ],
  [
    'half a picture',
    async () => ({ image: file((await stripes(1)).subarray(0, 200)) }),
    /init image must be a whole PNG/,
  ],
  [
    'a bomb',
    async () => ({ image: file(await claiming(60_000)) }),
    /60000x60000 pixels.*120 million/,
  ],
  [
    'a mask that is none',
    async () => ({ image: file(await stripes(1)), mask: file(Buffer.from('%PDF-1.7'), 'm.pdf') }),
    /mask must be a whole PNG/,
  ],
  ['a mask alone', async () => ({ mask: file(await stripes(1)) }), /belong to an image/],
  ['a strength alone', async () => ({ strength: 0.5 }), /belong to an image/],
  [
    'an image without pixels',
    async () => ({ image: file(await claiming(0)) }),
    /init image must be a whole PNG/,
  ],
  [
    'a strength that leaves no step',
    async () => ({ image: file(await stripes(1)), strength: 0.01, steps: 4 }),
    /nothing to do in 4 steps/,
  ],
  [
    'an image and a wrong size',
    async () => ({ image: file(await stripes(1)), size: '65x64' }),
    /multiples of/,
  ],
])('%s is told privately, and nothing is lost', async (_name, options, sentence) => {
  const cleo = world.sandbox.user('cleo');
  const told = await refusal(cleo, { prompt: 'x', ...STEPS, ...(await options()) });
  expect(told.content).toMatch(sentence);
  const answer = await (await cleo.command('queue')).waitFor();
  expect(answer.content).toContain('Nothing waits');
});

test.each(['cut', 'gone', 'moved'] as const)(
  'a download that is %s is told privately, and the next one works',
  async (how) => {
    const cleo = world.sandbox.user('cleo');
    world.sandbox.faults.brokenDownload(how);
    const image = file(await stripes(11));
    const told = await refusal(cleo, { prompt: 'x', image, ...STEPS });
    expect(told.content).toContain('could not be fetched');
    await done(await cleo.command('imagine', { prompt: 'x', image, ...STEPS }));
  },
);

test('what only shows when it is decoded ends in a sentence in the owner’s language', async () => {
  const dieter = world.sandbox.user('dieter');
  dieter.locale = 'de';
  const gif = await stripes(1, 96, 64, 'gif');
  const asked = await dieter.command('imagine', {
    prompt: 'Fuchs',
    ...STEPS,
    image: file(gif.subarray(0, 60), 'halb.gif'),
  });
  const told = await asked.waitFor((m) => m.content.includes('muss eine ganze PNG'));
  expect(told.content).toContain('Das Ausgangsbild');
  expect(customIds(told).map((id) => id.split(':')[0])).toContain('edit');
});

test('the menu of a message with a picture opens a window and paints from it', async () => {
  const [ada, ben] = [world.sandbox.user('ada'), world.sandbox.user('ben')];
  const message = await ada.say('look at this', [
    { name: 'notes.txt', bytes: Buffer.from('not this one') },
    { name: 'holiday.jpg', bytes: await stripes(77, 120, 60, 'jpeg') },
  ]);
  const opened = await ben.contextCommand('Use as init image', message);
  await opened.acknowledged;
  expect(JSON.stringify(opened.modal)).toContain('"value":"0.8"');
  const painted = await done(
    await ben.submitModal(opened, { prompt: 'a winter fox', strength: '0.6', seed: '9' }),
  );
  expect(painted.content).toContain('a winter fox');
  expect(painted.content).toContain('from an image, strength 0.6');
  expect(painted.content).toContain('`9`');
  const shape = pictures(painted)[0];
  expect(shape?.width ?? 0).toBeGreaterThan(shape?.height ?? 0);
  // The bot's own picture as well, and a wrong number is told without anything being painted.
  const own = await ben.contextCommand('Use as init image', painted);
  await own.acknowledged;
  const wrong = await (await ben.submitModal(own, { strength: 'much' })).waitFor();
  expect(wrong.content).toMatch(/number/);
  const further = await ben.contextCommand('Use as init image', painted);
  await further.acknowledged;
  await done(await ben.submitModal(further, { prompt: 'on and on' }));
});

test('a private picture stays private in what is painted from it', async () => {
  const ada = world.sandbox.user('ada');
  const options = { prompt: 'secret', private: true, ...STEPS };
  const hidden = await done(await ada.command('imagine', options));
  const opened = await ada.contextCommand('Use as init image', hidden);
  await opened.acknowledged;
  const sent = await ada.submitModal(opened, { prompt: 'secret too' });
  expect((await sent.acknowledged).ephemeral).toBe(true);
  const message = await done(sent);
  expect(
    world.sandbox
      .user('ben')
      .messages()
      .some((m) => m.id === message.id),
  ).toBe(false);
});

test('a message without a picture is told so, in every menu command', async () => {
  const ada = world.sandbox.user('ada');
  const message = await ada.say('no picture here', [file(Buffer.from('x'), 'notes.txt')]);
  for (const name of ['Use as init image', 'Reroll']) {
    const told = await (await ada.contextCommand(name, message)).waitFor();
    expect(told.content).toContain('no picture');
    expect((told.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  }
});

test("Reroll in the menu repeats the bot's pictures, and those whose file tells how they were made", async () => {
  const [ada, ben] = [world.sandbox.user('ada'), world.sandbox.user('ben')];
  const image = file(await stripes(60));
  const mine = await done(
    await ada.command('imagine', { prompt: 'menu fox', image, strength: 0.3, seed: 1, ...STEPS }),
  );
  const again = await done(await ben.contextCommand('Reroll', mine));
  expect(again.content).toContain('menu fox');
  expect(again.content).toContain('from an image, strength 0.3');
  expect(seedOf(again)).not.toBe(1);

  const posted = await ada.say('made elsewhere', [
    file(withText(await stripes(1), 'parameters', ELSEWHERE)),
  ]);
  const elsewhere = await done(await ben.contextCommand('Reroll', posted));
  for (const part of ['a castle', 'fog', '7 steps', 'guidance 3.5', 'Euler a', '104×64']) {
    expect(elsewhere.content).toContain(part);
  }
  const rewritten = infotext(await bytes(elsewhere));
  for (const part of ['a castle, (moon:1.2)', 'RNG: NV']) expect(rewritten).toContain(part);
  // Of the image that the strength was for the file knows nothing; and this model skips no layers.
  expect(rewritten).not.toMatch(/Denoising|Clip skip/);

  const plain = await ada.say('a photograph', [file(await stripes(2))]);
  const seen = ben.messages().length;
  await ben.contextCommand('Reroll', plain);
  const told = await ben.waitFor((m) => m.content.includes('does not tell how it was made'));
  expect((told.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
  await world.sandbox.until(() => ben.messages().length === seen + 1);
});

test("Reroll in the menu knows the bot's own messages about steps, and nobody else's", async () => {
  const [ada, ben] = [world.sandbox.user('ada'), world.sandbox.user('ben')];
  const mine = await done(
    await ada.command('imagine', { prompt: 'seen in steps', seed: 1, ...STEPS }),
  );
  const opened = await ada.click(mine, /^steps:/);
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  const again = await done(await ben.contextCommand('Reroll', panel));
  expect(again.content).toContain('seen in steps');
  expect(seedOf(again)).not.toBe(1);
  // A name that anybody can give a file says nothing.
  const sheet = panel.attachments[0]?.filename ?? '';
  const posted = await ben.say('a copy', [file(await stripes(3), sheet)]);
  await ben.contextCommand('Reroll', posted);
  await ben.waitFor((m) => m.content.includes('does not tell how it was made'));
});

test('/models tells what there is; /imagine completes it and refuses what there is not', async () => {
  const ada = world.sandbox.user('ada');
  const listed = await (await ada.command('models')).waitFor();
  expect(listed.content).toMatch(/\*\*tiny-sd\*\* · default/);
  expect(listed.content).toContain('Stable Diffusion');
  expect(await ada.autocomplete('imagine', 'model', 'TIN')).toMatchObject([{ value: 'tiny-sd' }]);
  expect(await ada.autocomplete('imagine', 'model', 'nothing like it')).toEqual([]);
  const message = await done(
    await ada.command('imagine', { prompt: 'x', model: 'TINY-SD', ...STEPS }),
  );
  expect(message.content).toContain('tiny-sd');
  const told = await refusal(ada, { prompt: 'x', model: 'dall-e', ...STEPS });
  expect(told.content).toMatch(/no model "dall-e".*tiny-sd/);
});

test('schedulers are completed 25 at most, the model’s own first, and taken in any spelling', async () => {
  const ada = world.sandbox.user('ada');
  const all = await ada.autocomplete('imagine', 'scheduler', '');
  expect(all.length).toBeLessThanOrEqual(25);
  expect(all[0]?.name).toContain('tiny-sd');
  for (const choice of await ada.autocomplete('imagine', 'scheduler', 'KARRAS')) {
    expect(choice.value).toMatch(/karras/i);
  }
  const message = await done(
    await ada.command('imagine', { prompt: 'x', steps: 3, scheduler: ' dpm++ 2m KARRAS ' }),
  );
  expect(message.content).toContain('DPM++ 2M Karras');
});

test('over a restart: what runs, what waits and an open window still have their image', async () => {
  const restarted = await startWorld();
  try {
    const { sandbox } = restarted;
    const ada = sandbox.user('ada');
    const image = file(await stripes(120, 96, 96));
    const options = { prompt: 'kept', seed: 3, strength: 0.9, steps: 80, size: '64x64', image };
    const [wanted] = pictures(await done(await ada.command('imagine', options)));
    const running = await ada.command('imagine', options);
    const waiting = await ada.command('imagine', { ...options, steps: 5, seed: 4 });
    await running.waitFor((m) => m.attachments.length > 0);
    await waiting.waitFor((m) => m.content.includes('line'));
    const message = await ada.say('later', [image]);
    const opened = await ada.contextCommand('Use as init image', message);
    await opened.acknowledged;
    await restarted.bot.end('SIGKILL');
    await restarted.restart();
    const [got] = pictures(await done(running));
    if (wanted === undefined || got === undefined) throw new Error('a picture is missing');
    expect((await sandbox.download(got)).equals(await sandbox.download(wanted))).toBe(true);
    expect((await done(waiting)).content).toContain('from an image');
    const late = await done(await ada.submitModal(opened, { prompt: 'after all' }));
    expect(late.content).toContain('after all');
    expect(late.content).toContain('from an image');
  } finally {
    await restarted.close();
  }
}, 180_000);

test('files from hosts that are not allowed are not fetched', async () => {
  const strict = await startWorld({ YLEM_ATTACHMENT_HOSTS: 'cdn.discordapp.com' });
  try {
    const ada = strict.sandbox.user('ada');
    await ada.command('imagine', { prompt: 'x', image: file(await stripes(1)) });
    const told = await ada.waitFor((m) => m.content.includes('from Discord itself'));
    expect((told.flags ?? 0) & MessageFlags.Ephemeral).not.toBe(0);
    await strict.sandbox.until(() => strict.sandbox.messages().length === 1);
  } finally {
    await strict.close();
  }
});

test('prompt weights and the source of noise come from the settings, and stay with a picture', async () => {
  const weighted = await startWorld({ YLEM_PROMPT_WEIGHTING: '1', YLEM_NOISE: 'nv' });
  try {
    const { sandbox } = weighted;
    const ada = sandbox.user('ada');
    const paint = async (prompt: string) => {
      const [picture] = pictures(
        await done(await ada.command('imagine', { prompt, seed: 8, guidance: 5, ...STEPS })),
      );
      if (picture === undefined) throw new Error('there is no picture');
      return sandbox.download(picture);
    };
    const [plain, heavy] = [await paint('a red fox'), await paint('a (red:1.5) fox')];
    expect(heavy.equals(plain)).toBe(false);
    expect(infotext(plain)).toContain('RNG: NV');
    await weighted.bot.end('SIGTERM');
    await weighted.restart({ YLEM_PROMPT_WEIGHTING: '0', YLEM_NOISE: 'cpu' });
    const again = await paint('a red fox');
    expect(again.equals(plain)).toBe(false);
    expect(infotext(again)).toContain('RNG: CPU');
    // What was painted with the one is edited and painted with it again.
    const first = sandbox.messages().find(isDone) as APIMessage;
    const opened = await ada.click(first, /^edit:/);
    await opened.acknowledged;
    const [same] = pictures(await done(await ada.submitModal(opened, {})));
    expect((await sandbox.download(same?.url ?? '')).equals(plain)).toBe(true);
  } finally {
    await weighted.close();
  }
}, 180_000);

test('of several models each paints under its name; the damaged one is told apart', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ylem-models-'));
  const variants = join(dirname(TINY_MODEL), 'tiny-sd-variants');
  const make = async (name: string, graph?: string, variant?: string) => {
    await cp(TINY_MODEL, join(directory, name), { recursive: true });
    if (graph !== undefined && variant !== undefined)
      await cp(join(variants, variant), join(directory, name, graph, 'model.onnx'));
  };
  await make('skips-layers', 'text_encoder', 'text-hidden.onnx');
  await make('broken');
  await rm(join(directory, 'broken', 'unet', 'model.onnx'));
  const several = await startWorld({ YLEM_MODELS_DIR: directory });
  try {
    const { sandbox } = several;
    const ada = sandbox.user('ada');
    const listed = await (await ada.command('models')).waitFor();
    expect(listed.content).toMatch(/\*\*tiny-sd\*\* · default/);
    expect(listed.content).toMatch(/\*\*skips-layers\*\*\n/);
    expect(listed.content).toMatch(/\*\*broken\*\*\n.*Damaged/);
    const names = (await ada.autocomplete('imagine', 'model', '')).map(({ value }) => value);
    expect(names).toEqual(['tiny-sd', 'skips-layers']);
    const broken = await (await ada.command('imagine', { prompt: 'x', model: 'broken' })).waitFor();
    expect(broken.content).toMatch(/"broken" cannot be used.*unet.model\.onnx/);

    const other = await done(
      await ada.command('imagine', { prompt: 'a fox', model: 'Skips-Layers', seed: 2, ...STEPS }),
    );
    expect(other.content).toContain('skips-layers');
    // What follows on a picture keeps its model.
    for (const button of [/^reroll:/, /^vary:.*:subtle$/]) {
      expect((await done(await ada.click(other, button))).content).toContain('skips-layers');
    }
    const posted = await ada.say('made elsewhere', [
      file(
        withText(
          await stripes(1),
          'parameters',
          ELSEWHERE.replace('somebody-elses', 'skips-layers'),
        ),
      ),
    ]);
    const again = await done(await ada.contextCommand('Reroll', posted));
    const [picture] = pictures(again);
    const written = infotext(await sandbox.download(picture?.url ?? ''));
    expect(written).toContain('Model: skips-layers');
    expect(written).toContain('Clip skip: 2');
  } finally {
    await several.close();
    await rm(directory, { recursive: true, force: true });
  }
}, 180_000);
