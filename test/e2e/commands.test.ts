// Every command and button through a real bot process, as people use them.

import { MessageFlags } from 'discord-api-types/v10';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readText } from '../../src/pipeline/image/png.js';
import type { APIMessage, SandboxInteraction } from '../../src/sandbox/types.js';
import {
  canBeStopped,
  customIds,
  done,
  isDone,
  pictures,
  seedOf,
  startWorld,
  type World,
} from './support.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world?.close();
});

async function imagine(options: Record<string, string | number | boolean> = {}, name = 'ada') {
  const user = world.sandbox.user(name);
  const interaction = await user.command('imagine', {
    prompt: 'a red fox',
    steps: 6,
    // One model call for each step; the tiny model's own PNDM makes one more.
    scheduler: 'DDIM',
    ...options,
  });
  return { user, interaction, message: await done(interaction) };
}

/** The picture's bytes. */
async function bytes(message: APIMessage): Promise<Buffer> {
  const [file] = pictures(message);
  if (file === undefined) throw new Error('there is no picture');
  return world.sandbox.download(file);
}

/** The message that refuses: private, and the only answer. */
async function refusal(interaction: SandboxInteraction): Promise<APIMessage> {
  const message = await interaction.waitFor();
  expect((message.flags ?? 0) & MessageFlags.Ephemeral).toBe(MessageFlags.Ephemeral);
  return message;
}

test('/imagine is acknowledged, forms and ends with its picture, seed and buttons', async () => {
  const user = world.sandbox.user('ada');
  const interaction = await user.command('imagine', { prompt: 'a red fox', seed: 7, steps: 40 });
  expect((await interaction.acknowledged).ephemeral).toBe(false);
  const message = await done(interaction);
  expect(message.content).toContain('a red fox');
  expect(seedOf(message)).toBe(7);
  const verbs = customIds(message).map((id) => id.split(':')[0]);
  expect(verbs).toEqual(['reroll', 'steps', 'edit', 'vary', 'vary', 'delete']);
  const png = await bytes(message);
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect(png.includes('parameters')).toBe(true);
  expect(pictures(message)[0]?.description).toContain('red fox');
  expect(message.attachments).toHaveLength(1);
});

test('the same seed gives the same bytes, another seed others', async () => {
  const [one, two, other] = [
    await imagine({ seed: 11 }),
    await imagine({ seed: 11 }, 'ben'),
    await imagine({ seed: 12 }),
  ];
  expect((await bytes(one.message)).equals(await bytes(two.message))).toBe(true);
  expect((await bytes(one.message)).equals(await bytes(other.message))).toBe(false);
});

test('an empty prompt paints as well', async () => {
  const user = world.sandbox.user('ada');
  const message = await done(await user.command('imagine', { steps: 4 }));
  expect(message.content).toContain('(no prompt)');
});

test('every option reaches the picture', async () => {
  const { message } = await imagine({
    negative: 'blur',
    seed: 4_294_967_295,
    steps: 5,
    guidance: 3.5,
    scheduler: 'Euler a',
  });
  for (const part of ['4294967295', '5 steps', 'guidance 3.5', 'Euler a', 'blur']) {
    expect(message.content).toContain(part);
  }
});

test('count makes as many messages, with seeds in a row', async () => {
  const user = world.sandbox.user('ben');
  const interaction = await user.command('imagine', {
    prompt: 'three',
    seed: 100,
    steps: 4,
    count: 3,
  });
  await world.sandbox.until(() => interaction.messages().filter(isDone).length === 3, {
    what: 'three pictures',
  });
  const seeds = interaction.messages().map(seedOf).sort();
  expect(seeds).toEqual([100, 101, 102]);
});

test('private pictures are seen by their owner alone, rerolls and steps of them too', async () => {
  const { user, message } = await imagine({ private: true });
  const others = world.sandbox.user('ben');
  expect(others.messages().some((m) => m.id === message.id)).toBe(false);
  const again = await user.click(message, /^reroll:/);
  expect((await again.acknowledged).ephemeral).toBe(true);
  await done(again);
  const steps = await user.command('steps');
  expect((await steps.acknowledged).ephemeral).toBe(true);
});

test.each([
  ['a seed below 0', { seed: -1 }, /seed/i],
  ['a seed beyond 32 bits', { seed: 2 ** 32 }, /seed/i],
  ['no steps', { steps: 0 }, /step/i],
  ['too many steps', { steps: 151 }, /150/],
  ['too much guidance', { guidance: 31 }, /30/],
  ['five at once', { count: 5 }, /4/],
])('%s is refused by Discord already, as declared', async (_name, options, _sentence) => {
  const user = world.sandbox.user('cleo');
  await expect(user.command('imagine', { prompt: 'x', ...options })).rejects.toThrow();
});

test.each([
  ['a size off the grid', { size: '513x512' }, /multiples? of \d+.*nearest/i],
  ['a size in words', { size: 'large' }, /width x height/i],
  ['an unknown scheduler', { scheduler: 'Fast' }, /DDIM(?!.*Flow)/],
  ['a scheduler of the other kind', { scheduler: 'Flow match Euler' }, /only for.*a flow/],
])('%s is told privately in one sentence', async (_name, options, sentence) => {
  const user = world.sandbox.user('cleo');
  const before = world.sandbox.messages().length;
  const message = await refusal(await user.command('imagine', { prompt: 'x', ...options }));
  expect(message.content).toMatch(sentence);
  expect(world.sandbox.messages().length).toBe(before + 1);
});

test('people are answered in their language', async () => {
  const user = world.sandbox.user('dieter');
  user.locale = 'de';
  const message = await done(await user.command('imagine', { prompt: 'Fuchs', steps: 4, seed: 1 }));
  expect(message.content).toContain('4 Schritte');
  expect(JSON.stringify(message.components)).toContain('Neu würfeln');
  expect(pictures(message)[0]?.description).toMatch(
    /^Ein Bild, gemalt nach dem Prompt: Fuchs \(\d+x\d+, Seed 1\)$/,
  );
  // The file is for programs of any language.
  expect(readText(await bytes(message), 'parameters')).toMatch(/^Fuchs\nSteps: 4, Sampler: /);
});

test('autocomplete offers sizes and schedulers that the model takes', async () => {
  const user = world.sandbox.user('ada');
  const sizes = await user.autocomplete('imagine', 'size', '');
  expect(sizes.length).toBeGreaterThan(1);
  for (const size of sizes) expect(size.value).toMatch(/^\d+x\d+$/);
  const schedulers = await user.autocomplete('imagine', 'scheduler', 'eul');
  const names = schedulers.map((choice) => String(choice.value));
  expect(names).toEqual(expect.arrayContaining(['Euler', 'Euler a']));
  // Those for models that predict a flow are not for this one.
  expect(names.filter((name) => name.startsWith('Flow'))).toEqual([]);
  for (const name of names) expect(name.toLowerCase()).toContain('eul');
});

test('/reroll paints the newest of yours with other noise', async () => {
  const { user, message } = await imagine({ seed: 21, prompt: 'the newest' });
  const again = await done(await user.command('reroll'));
  expect(again.content).toContain('the newest');
  expect(again.id).not.toBe(message.id);
  expect(seedOf(again)).not.toBe(21);
});

test('/reroll without anything painted says so privately', async () => {
  const message = await refusal(await world.sandbox.user('newcomer').command('reroll'));
  expect(message.content).toContain('/imagine');
});

test('anybody may press Reroll, and it becomes theirs', async () => {
  const { message } = await imagine({ seed: 22 });
  const ben = world.sandbox.user('ben');
  const again = await done(await ben.click(message, /^reroll:/));
  expect(seedOf(again)).not.toBe(22);
  const removal = await ben.click(again, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(again.id) === undefined, {
    what: 'deletion',
  });
  expect(removal.state).toBe('acknowledged');
});

test('/steps shows sheet, animation, changes and single steps in one message', async () => {
  const { user, message } = await imagine({ steps: 12, seed: 31 });
  const opened = await user.click(message, /^steps:/);
  const file = (start: string) => (m: APIMessage) => m.attachments[0]?.filename.startsWith(start);
  let panel = await opened.waitFor(file('sheet-'));
  const press = async (button: RegExp, start: string) => {
    await user.click(panel, button);
    panel = await opened.waitFor(file(start), { what: start });
    expect(panel.attachments).toHaveLength(1);
    expect(panel.attachments[0]?.size).toBeGreaterThan(0);
  };
  await press(/:animation$/, 'animation-');
  await press(/:changes$/, 'changes-');
  await press(/:first$/, 'step-1-');
  await press(/:on$/, 'step-2-');
  await press(/:last$/, 'step-12-');
  await press(/:back$/, 'step-11-');
  expect(panel.content).toContain('Step 11 of 12');
  await press(/:sheet$/, 'sheet-');
  const before = await world.sandbox.download(panel.attachments[0] ?? '');
  await user.select(panel, /:frames$/, ['4']);
  await opened.waitFor((m) => customIds(m).some((id) => id.includes(':s:4:')));
  panel = opened.message() ?? panel;
  const after = await world.sandbox.download(panel.attachments[0] ?? '');
  expect(after.equals(before)).toBe(false);
  const branch = async (button: RegExp) => user.click(panel, button);
  await press(/:first$/, 'step-1-');
  await press(/:on$/, 'step-2-');
  const branched = await done(await branch(/^branch:/));
  expect(branched.content).toMatch(
    /^-# kept steps 1–2 of 12, then new noise \(seed `\d+`\): \d+% of the pixels look different( ·|$)/m,
  );
  const again = await user.click(branched, /^steps:/);
  const panelOfBranch = await again.waitFor((m) => m.attachments.length > 0);
  expect(panelOfBranch.content).toContain('Kept steps 1–2 of 12, then new noise');
});

test('/steps says in a sentence what each view shows', async () => {
  const { user, message } = await imagine({ steps: 4 });
  const opened = await user.click(message, /^steps:/);
  const told = async (sentence: string) =>
    opened.waitFor((m) => m.attachments.length > 0 && m.content.includes(`\n-# ${sentence}`));
  let panel = await told('The picture itself after each step, noise and all.');
  expect(panel.attachments[0]?.description).toMatch(/^How it came to be, 4 frames\. The picture/);
  await user.click(panel, /:show$/);
  panel = await told('What the model expected the picture to become, after each step.');
  await user.select(panel, /:choose$/, ['3']);
  panel = await told('What the model expected the picture to become, after this step.');
  expect(panel.content).toContain('**Step 3 of 4**');
  await user.click(panel, /:changes$/);
  await told('A tall bar: this step changed much.');
});

test('one press shows how late chance still matters: the same new noise early, halfway and late', async () => {
  const { user, message } = await imagine({ steps: 8, seed: 33 });
  const opened = await user.click(message, /^steps:/);
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  const pressed = await user.click(panel, /^chance:/);
  await done(pressed);
  const kept = (m: APIMessage) =>
    /kept (?:step 1|steps 1–(?<step>\d+)) of 8, then new noise \(seed `(?<seed>\d+)`\): (?<share>\d+)%/.exec(
      m.content,
    )?.groups;
  const branches = await world.sandbox.until(
    () => {
      const all = world.sandbox.messages().filter((m) => isDone(m) && kept(m) !== undefined);
      return all.length >= 4 && all;
    },
    { what: 'four branches' },
  );
  const found = branches.map((m) => kept(m)!);
  expect(found.map(({ step }) => Number(step ?? 1)).sort((a, b) => a - b)).toEqual([1, 2, 4, 6]);
  expect(new Set(found.map(({ seed }) => seed)).size).toBe(1);
});

test('/steps with options opens what was asked for, of a picture of choice', async () => {
  const { user } = await imagine({ steps: 8, seed: 41, prompt: 'older one' });
  await imagine({ steps: 5, seed: 42, prompt: 'newer one' });
  const choices = await user.autocomplete('steps', 'of', 'older');
  expect(choices[0]?.name).toContain('older one');
  const of = String(choices[0]?.value);
  const opened = await user.command('steps', { of, step: 3, show: 'latents' });
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  expect(panel.content).toContain('Step 3 of 8');
});

test('a step that a picture does not have is told privately, with how many it has', async () => {
  const { user } = await imagine({ steps: 5 });
  const message = await refusal(await user.command('steps', { step: 99 }));
  expect(message.content).toBe('This picture has 5 steps; there is no step 99.');
});

test('the last step of a picture can be shown as well as its first', async () => {
  const { user } = await imagine({ steps: 5 });
  for (const step of [1, 5]) {
    const opened = await user.command('steps', { step });
    const panel = await opened.waitFor((m) => m.content !== '');
    expect(panel.content).toContain(`Step ${step} of 5`);
  }
});

test('a picture of two steps offers no more frames than it has', async () => {
  const { user, message } = await imagine({ steps: 2 });
  const opened = await user.click(message, /^steps:/);
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  expect(customIds(panel).filter((id) => id.endsWith(':frames'))).toEqual([]);
  expect(JSON.stringify(panel.components)).not.toContain('frames"');
});

test('a picture of one step has no Vary, and its steps no changes', async () => {
  const { user, message } = await imagine({ steps: 1 });
  expect(customIds(message).filter((id) => id.startsWith('vary:'))).toEqual([]);
  const opened = await user.click(message, /^steps:/);
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  expect(customIds(panel).filter((id) => /^(vary|branch):/.test(id))).toEqual([]);
  expect(JSON.stringify(panel.components)).toMatch(/:changes"[^{}]*"disabled":true/);
});

test("somebody else's view of the steps is their own", async () => {
  const { user, message } = await imagine({ steps: 6 });
  const opened = await user.click(message, /^steps:/);
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  const ben = world.sandbox.user('ben');
  const view = await ben.click(panel, /:animation$/);
  expect((await view.acknowledged).ephemeral).toBe(true);
  await view.waitFor((m) => m.attachments[0]?.filename.startsWith('animation-'));
  expect(world.sandbox.message(panel.id)?.attachments[0]?.filename).toMatch(/^sheet-/);
});

test('Vary goes on from a late step for a near copy and from an early one for another picture', async () => {
  const { user, message } = await imagine({ steps: 10, seed: 51 });
  const subtle = await done(await user.click(message, /^vary:.*:subtle$/));
  const strong = await done(await user.click(message, /^vary:.*:strong$/));
  expect(subtle.content).toContain('kept steps 1–6 of 10');
  expect(strong.content).toContain('kept step 1 of 10');
  const original = await bytes(message);
  expect((await bytes(subtle)).equals(original)).toBe(false);
  // A branch of a branch, and its steps from the first on.
  const twice = await done(await user.click(subtle, /^vary:.*:strong$/));
  expect(twice.content).toContain('kept step 1 of 10');
  const opened = await user.click(subtle, /^steps:/);
  const panel = await opened.waitFor((m) => m.attachments.length > 0);
  await user.click(panel, /:first$/);
  await opened.waitFor((m) => m.content.includes('Step 1 of 10'));
});

test('each Vary has noise of its own, whose seed is told and stands in the file', async () => {
  const { user, message } = await imagine({ seed: 52, steps: 10 });
  const vary = async () => {
    const branch = await done(await user.click(message, /^vary:.*:subtle$/));
    const seed = /new noise \(seed `(\d+)`\)/.exec(branch.content)?.[1];
    const file = await bytes(branch);
    const infotext = /parameters\0([\s\S]*?Version: \w+)/.exec(file.toString('latin1'))?.[1];
    expect(infotext).toContain('Seed: 52,');
    expect(infotext).toContain(`Branch seed: ${seed},`);
    return sharp(file).raw().toBuffer();
  };
  expect((await vary()).equals(await vary())).toBe(false);
});

test('Edit opens with the parameters and paints what is sent', async () => {
  const { user, message } = await imagine({ seed: 61, negative: 'fog' });
  const opened = await user.click(message, /^edit:/);
  await opened.acknowledged;
  expect(JSON.stringify(opened.modal)).toContain('"value":"a red fox"');
  expect(JSON.stringify(opened.modal)).toContain('"value":"fog"');
  const sent = await user.submitModal(opened, { prompt: 'a blue fox', guidance: '2,5' });
  const edited = await done(sent);
  expect(edited.content).toContain('a blue fox');
  expect(edited.content).toContain('guidance 2.5');
  expect(seedOf(edited)).toBe(61);
});

test('what is wrong in an edit is told privately', async () => {
  const { user, message } = await imagine();
  const opened = await user.click(message, /^edit:/);
  await opened.acknowledged;
  const refused = await refusal(await user.submitModal(opened, { steps: '151' }));
  expect(refused.content).toContain('150');
  const again = await user.click(message, /^edit:/);
  await again.acknowledged;
  const second = await refusal(await user.submitModal(again, { seed: 'seven' }));
  expect(second.content).toMatch(/number/i);
});

test('Delete belongs to the owner and to moderators', async () => {
  const { message } = await imagine();
  const ben = world.sandbox.user('ben');
  const refused = await refusal(await ben.click(message, /^delete:/));
  expect(refused.content).toMatch(/only/i);
  expect(world.sandbox.message(message.id)).toBeDefined();
  await world.sandbox.user('cleo').click(message, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(message.id) === undefined, {
    what: 'deletion',
  });
});

test('Stop keeps the picture of the current step; other people cannot', async () => {
  const user = world.sandbox.user('ada');
  const interaction = await user.command('imagine', {
    prompt: 'long',
    steps: 150,
    size: '128x128',
  });
  const forming = await interaction.waitFor(canBeStopped);
  const ben = world.sandbox.user('ben');
  await refusal(await ben.click(forming, /^cancel:/));
  await user.click(interaction.message() ?? forming, /^stop:/);
  const message = await done(interaction);
  expect(message.content).toMatch(/stopped after step \d+ of 151/);
});

test('Cancel and /cancel drop the picture and say so', async () => {
  const user = world.sandbox.user('ada');
  const first = await user.command('imagine', { prompt: 'dropped', steps: 150, size: '128x128' });
  const forming = await first.waitFor((m) => customIds(m).some((id) => id.startsWith('cancel:')));
  await user.click(forming, /^cancel:/);
  await first.waitFor((m) => m.content.includes('Cancelled.'));
  const second = await user.command('imagine', {
    prompt: 'dropped too',
    steps: 150,
    size: '128x128',
  });
  await second.waitFor((m) => customIds(m).some((id) => id.startsWith('cancel:')));
  const third = await user.command('imagine', { prompt: 'and this', steps: 150, size: '128x128' });
  await third.waitFor((m) => customIds(m).some((id) => id.startsWith('cancel:')));
  const choices = await user.autocomplete('cancel', 'which', '');
  expect(choices.map((choice) => choice.name)).toEqual(['All of mine', 'dropped too', 'and this']);
  const answer = await refusal(await user.command('cancel', { which: 'all' }));
  expect(answer.content).toContain('2');
  await second.waitFor((m) => m.content.includes('Cancelled.'));
  await third.waitFor((m) => m.content.includes('Cancelled.'));
  expect((await refusal(await user.command('cancel'))).content).toContain('Nothing');
});

test('/cancel gives up the newest of yours alone', async () => {
  const user = world.sandbox.user('ada');
  const ask = (prompt: string) => user.command('imagine', { prompt, steps: 150, size: '128x128' });
  const first = await ask('the oldest');
  const second = await ask('the middle');
  const third = await ask('the newest');
  await third.waitFor((m) => customIds(m).some((id) => id.startsWith('cancel:')));
  expect((await refusal(await user.command('cancel'))).content).toBe('Cancelled one picture.');
  await third.waitFor((m) => m.content.includes('Cancelled.'));
  const left = await user.autocomplete('cancel', 'which', 'the');
  expect(left.map((choice) => choice.name)).toEqual(['the oldest', 'the middle']);
  await user.command('cancel', { which: 'all' });
  for (const each of [first, second]) await each.waitFor((m) => m.content.includes('Cancelled.'));
});

test('/queue tells what runs and where yours stand, and waiting replies tell their place', async () => {
  const user = world.sandbox.user('ada');
  expect((await refusal(await user.command('queue'))).content).toContain('Nothing waits');
  const first = await user.command('imagine', {
    prompt: 'secret one',
    steps: 150,
    size: '128x128',
  });
  const second = await user.command('imagine', { prompt: 'two', steps: 150, size: '128x128' });
  await second.waitFor((m) => m.content.includes('Next in line'));
  const third = await user.command('imagine', { prompt: 'three', steps: 4 });
  await third.waitFor((m) => m.content.includes('1 ahead in line'));
  const answer = await refusal(await world.sandbox.user('ben').command('queue'));
  expect(answer.content).toContain('1 running, 2 waiting');
  expect(answer.content).not.toContain('secret');
  await user.command('cancel', { which: 'all' });
  await third.waitFor((m) => m.content.includes('Cancelled.'));
  await first.waitFor((m) => m.content.includes('Cancelled.'));
});

test('prompts of every kind are shown harmlessly and kept as they are', async () => {
  const prompts = [
    'x'.repeat(6000),
    '@everyone @here <@1> <@&2>',
    'zero\u200bwidth \u202eright to left\u2066',
    '🦊👩‍👩‍👧‍👦 émoji',
    '||spoiler|| **bold** `code` # heading\n> quote',
  ];
  for (const prompt of prompts) {
    const { message } = await imagine({ prompt, steps: 3 }, 'quill');
    expect(message.content.length).toBeLessThanOrEqual(2000);
    expect(message.content).not.toMatch(/@(everyone|here)/);
    expect(message.content).not.toMatch(/\u202e|\u2066/);
    const again = await done(await world.sandbox.user('quill').click(message, /^reroll:/));
    expect(again.content.split('\n')[0]).toBe(message.content.split('\n')[0]);
  }
  expect(world.sandbox.pings).toEqual([]);
});

test('a prompt too long for an edit window is told so', async () => {
  const { user, message } = await imagine({ prompt: 'y'.repeat(5000), steps: 3 });
  const refused = await refusal(await user.click(message, /^edit:/));
  expect(refused.content).toContain('4,000');
});

test('nothing that people typed is in the log', () => {
  const output = world.bot.output();
  for (const text of ['a red fox', 'secret one', 'older one', 'everyone', 'a blue fox']) {
    expect(output).not.toContain(text);
  }
});
