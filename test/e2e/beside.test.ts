// How late chance matters, in one picture: a picture and its branches side by side, as people ask for
// it, through a real bot process.

import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { MessageFlags } from 'discord-api-types/v10';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { APIMessage, SandboxUser } from '../../src/sandbox/types.js';
import { FILE_NAME } from '../../src/store/open.js';
import { canBeStopped, customIds, done, isDone, startWorld, type World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world?.close();
});

const STEPS = [1, 5, 10, 15];
const withFile = (message: APIMessage) => message.attachments.length > 0;
const isPrivate = (message: APIMessage) => ((message.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
const idOf = (message: APIMessage) => customIds(message)[0]?.split(':')[1] ?? '';

async function paint(user: SandboxUser, options: Record<string, boolean | number> = {}) {
  const asked = { prompt: 'a red fox', steps: 20, scheduler: 'DDIM', ...options };
  return done(await user.command('imagine', asked));
}

/** Presses "How late does chance matter?" under the picture's steps. */
async function ask(user: SandboxUser, picture: APIMessage) {
  const opened = await user.click(picture, /^steps:/);
  const panel = await opened.waitFor(withFile);
  return user.click(panel, /^chance:/);
}

/** The four branches of a picture, early to late. */
async function branchesOf(user: SandboxUser, picture: APIMessage): Promise<APIMessage[]> {
  const asked = await ask(user, picture);
  const all = await world.sandbox.until(
    () => {
      const found = asked.messages().filter(isDone);
      return found.length === STEPS.length && found;
    },
    { what: 'four branches' },
  );
  const step = ({ content }: APIMessage) =>
    Number(/kept steps? (?:1–)?(\d+) of/.exec(content)?.[1]);
  return all.toSorted((a, b) => step(a) - step(b));
}

async function beside(user: SandboxUser, message: APIMessage): Promise<APIMessage> {
  const pressed = await user.click(message, /^beside:/);
  return pressed.waitFor((m) => withFile(m) || (m.content !== '' && m.content !== '…'));
}

/** What the sheet's text says of each branch. */
const told = ({ content }: APIMessage) =>
  [
    ...content
      .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
      .matchAll(/after step (\d+): ([^·\n]+?)(?= ·|$)/gi),
  ].map(([, step, what]) => [Number(step), what]);

test('each of the branches leads to a sheet of the picture and all of them, with how much changed', async () => {
  const ada = world.sandbox.user('ada');
  const picture = await paint(ada);
  const branches = await branchesOf(ada, picture);
  const sheets = [await beside(ada, branches[0]!), await beside(ada, branches[3]!)];
  for (const sheet of sheets) {
    expect(isPrivate(sheet)).toBe(false);
    const [file] = sheet.attachments;
    // Five frames of 64 px, three in a row.
    expect(file).toMatchObject({ width: 3 * 68 + 4, height: 2 * 68 + 4 });
    expect(file?.filename).toBe(`beside-${idOf(picture)}.png`);
    const shares = branches.map(({ content }) => /(\d+%) of the pixels/.exec(content)?.[1]);
    expect(told(sheet)).toEqual(STEPS.map((step, i) => [step, shares[i]]));
    const list = STEPS.map(
      (step, i) => `after step ${step} (${shares[i]} of the pixels look different)`,
    );
    expect(file?.description).toBe(
      `Side by side: the picture itself, then the same with new noise ${list.join(', ')}. a red fox`,
    );
    // The picture and each branch can be gone to.
    const shown = [...sheet.content.matchAll(/\]\(https:\S+\/(\d+)\)/g)].map(([, id]) => id);
    expect(shown).toEqual([picture, ...branches].map(({ id }) => id));
    const verbs = customIds(sheet).map((id) => id.split(':').slice(0, 2));
    expect(verbs).toEqual([
      ['steps', idOf(picture)],
      ['chance', idOf(picture)],
    ]);
  }
  const [first, second] = await Promise.all(
    sheets.map(({ attachments }) => world.sandbox.download(attachments[0]!)),
  );
  expect(first!.equals(second!)).toBe(true);
});

test('who did not ask gets the sheet alone, in their language', async () => {
  const [ada, dieter] = [world.sandbox.user('ada'), world.sandbox.user('dieter')];
  dieter.locale = 'de';
  const branches = await branchesOf(ada, await paint(ada));
  const sheet = await beside(dieter, branches[1]!);
  expect(isPrivate(sheet)).toBe(true);
  expect(sheet.content).toContain('**Wie spät der Zufall zählt**');
  expect(sheet.content).toMatch(/Nach Schritt 1: \[\d+\s%\]/);
  expect(sheet.attachments[0]?.description).toMatch(/^Nebeneinander: das Bild selbst/);
});

test('what is private stays private side by side', async () => {
  const ada = world.sandbox.user('ada');
  const branches = await branchesOf(ada, await paint(ada, { private: true }));
  expect(branches.every(isPrivate)).toBe(true);
  const sheet = await beside(ada, branches[0]!);
  expect(isPrivate(sheet)).toBe(true);
  expect(sheet.content).not.toContain('discord.com');
  // Ben tries it privately on a picture that all may see: what he gets is his alone.
  const ben = world.sandbox.user('ben');
  const his = await branchesOf(ben, await paint(ada));
  expect(his.every(isPrivate)).toBe(true);
  expect(isPrivate(await beside(ben, his[0]!))).toBe(true);
});

test('branches that are not done yet come in when it is asked again; one that was cancelled never does', async () => {
  const [ada, ben] = [world.sandbox.user('ada'), world.sandbox.user('ben')];
  const picture = await paint(ada);
  const opened = await ada.click(picture, /^steps:/);
  const panel = await opened.waitFor(withFile);
  // People take turns: Ben's, who was first, and then one of Ada's; and then Ben's other one.
  const long = { prompt: 'long', steps: 150, count: 2, scheduler: 'DDIM', size: '256x256' };
  const bens = await ben.command('imagine', long);
  await bens.waitFor(canBeStopped);
  const asked = await ada.click(panel, /^chance:/);
  await asked.waitFor();
  await ben.click(bens.messages().find(canBeStopped)!, /^stop:/);
  const first = await done(asked);
  const sheet = await beside(ada, first);
  expect(told(sheet).map(([, what]) => what)).toEqual([
    expect.stringMatching(/^\d+%$/),
    ...Array(3).fill('not painted yet'),
  ]);
  const waiting = asked.messages().find((m) => customIds(m).some((id) => id.startsWith('cancel:')));
  await ada.click(waiting!, /^cancel:/);
  const running = await world.sandbox.until(() => bens.messages().find(canBeStopped));
  await ben.click(running, /^stop:/);
  await world.sandbox.until(() => asked.messages().filter(isDone).length === 3);

  const again = await ada.click(sheet, /^beside:.*:again$/);
  const whole = await again.waitFor((m) => told(m).every(([, what]) => what !== 'not painted yet'));
  expect(whole.id).toBe(sheet.id);
  const shares = told(whole).map(([, what]) => what);
  expect(shares.filter((what) => what === 'no picture')).toHaveLength(1);
  expect(shares.filter((what) => /^\d+%$/.test(what as string))).toHaveLength(3);
  expect(customIds(whole).some((id) => id.endsWith(':again'))).toBe(false);
});

test('what was flagged or deleted is not shown, also after a restart', async () => {
  const ada = world.sandbox.user('ada');
  const picture = await paint(ada);
  const branches = await branchesOf(ada, picture);
  await ada.click(branches[0]!, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(branches[0]!.id) === undefined);
  // No checker flags one of them on demand: it is written into the store.
  const flag = async (message: APIMessage) => {
    await world.bot.end();
    const database = new DatabaseSync(join(world.dataDirectory, FILE_NAME));
    database.exec(`UPDATE generations
      SET flagged = 1
      WHERE id = '${idOf(message)}'`);
    database.close();
    await world.restart();
  };
  await flag(branches[1]!);
  const sheet = await beside(ada, branches[2]!);
  expect(told(sheet)).toEqual([
    [5, 'not shown, the safety checker found something in it'],
    [10, expect.stringMatching(/^\d+%$/)],
    [15, expect.stringMatching(/^\d+%$/)],
  ]);
  expect(sheet.attachments[0]).toMatchObject({ width: 2 * 68 + 4, height: 2 * 68 + 4 });
  expect(sheet.attachments[0]?.description).not.toContain('after step 5');

  await flag(picture);
  const refused = await beside(ada, branches[2]!);
  expect(refused.content).toMatch(/safety checker found something in this picture/);
  expect(refused.attachments).toEqual([]);
  await ada.click(picture, /^delete:/);
  await world.sandbox.until(() => world.sandbox.message(picture.id) === undefined);
  const gone = async () => {
    const answer = await beside(ada, branches[2]!);
    expect(answer.content).toBe('The picture that these branched from is no longer kept.');
  };
  await expect
    .poll(
      () =>
        gone().then(
          () => true,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
});

test('a branch from a step that its picture has from another is compared with its picture', async () => {
  const ada = world.sandbox.user('ada');
  const first = await paint(ada);
  const second = await done(await ada.click(first, /^vary:.*:subtle$/));
  expect(second.content).toContain('kept steps 1–12 of 20');
  const branches = await branchesOf(ada, second);
  const sheet = await beside(ada, branches[0]!);
  expect(sheet.attachments[0]?.filename).toBe(`beside-${idOf(second)}.png`);
  expect(told(sheet).map(([step]) => step)).toEqual(STEPS);
  // Its first steps are the first picture's, and are there to be seen.
  const steps = await ada.click(branches[1]!, /^steps:/);
  const panel = await steps.waitFor(withFile);
  await ada.select(panel, /:frames$/, ['20']);
  await steps.waitFor((m) => m.attachments[0]?.description?.includes(', 20 frames.') === true);
});
