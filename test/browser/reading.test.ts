// What is seen and heard of the messages: which tab a form opens in, what is announced, which pictures
// are loaded, and that lists and older messages are where the reader expects them.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { focused, inPage, line, newest, send } from './browser.js';
import { ask, bot, here, page, sandbox } from './stage.js';

/** What Ben says, once it is on a page: whatever was sent to that page before is there too. */
async function said(text: string, on: Page = page): Promise<void> {
  await sandbox.user('ben').say(text);
  await on.locator('.message').getByText(text, { exact: true }).waitFor();
}

test('a form opens only in the tab that it was asked for in', async () => {
  const other = await here.context.newPage();
  await other.goto(sandbox.url);
  await other.getByText(/ is online$/).waitFor();
  await ask('/show kind: buttons');
  await newest(page).getByRole('button', { name: 'Form' }).click();
  await page.getByRole('dialog', { name: 'A form' }).waitFor();
  await said('after the form', other);
  expect(await other.getByRole('dialog', { name: 'A form' }).count()).toBe(0);
});

test('a picture is announced when it forms and when it is there, without its bar', async () => {
  await ask('/live');
  await bot.live?.editReply('a fox ███░░░ step 1 of 3');
  const announced = (text: string | RegExp) =>
    page.locator('#announcer').getByText(text).waitFor({ state: 'attached' });
  await announced('a fox step 1 of 3');
  await bot.live?.editReply('a fox ██████ step 2 of 3');
  await bot.paint(30, 'a fox, seed 7');
  await announced(/a fox, seed 7/);
  expect(await newest(page).getAttribute('aria-label')).not.toMatch(/[█░]/);
});

test('what stands in lines of its own is read as words of its own', async () => {
  await ask('/show kind: markdown');
  expect(await newest(page).getAttribute('aria-label')).toContain(
    'Big bold leaning under gone code (hidden) quoted small one, two let x = "<b>";',
  );
});

test('a picture that could not be loaded is tried again', async () => {
  await ask('/live');
  let broken = 0;
  await page.route('**/attachments/**', (route) => {
    broken += 1;
    return route.abort();
  });
  await bot.paint(60, 'a boat');
  await newest(page).getByText('live.png could not be loaded').waitFor();
  await page.unroute('**/attachments/**');
  await bot.live?.editReply('a boat, mended');
  await newest(page).locator('.picture img').waitFor();
  expect(broken).toBe(1);
  expect(here.errors.splice(0)).toEqual([expect.stringContaining('ERR_FAILED')]);
});

test('pictures are loaded when they come near, and all of them can be gone through', async () => {
  await ask('/live');
  await bot.paint(200, 'far above');
  const id = (await newest(page).getAttribute('data-id')) ?? '';
  for (let index = 0; index < 6; index += 1)
    await sandbox.user('ben').say('line\n'.repeat(100).trim());
  await ask('/show kind: v2');
  await page.reload();
  const far = page.locator(`.message[data-id="${id}"] .picture`);
  const near = newest(page).getByRole('button', { name: 'Enlarge: Square 1' });
  await near.locator('img').waitFor();
  expect(await far.locator('img').count()).toBe(0);
  await near.click();
  const box = page.getByRole('dialog', { name: 'Picture' });
  await page.keyboard.press('ArrowLeft');
  await box.getByText('far above').waitFor();
  await page.keyboard.press('Escape');
  await far.locator('img').waitFor();
});

test('whoever becomes another person is told nothing false about the first', async () => {
  await page.clock.install();
  await send(page, '/silent');
  await page.getByRole('radio', { name: 'Ben' }).click();
  await page.getByRole('radio', { name: 'Ben', checked: true }).waitFor();
  await page.clock.fastForward(20_000);
  await said('long after');
  expect(await page.getByText('The application did not respond').count()).toBe(0);
});

test('an open list moves with its select', async () => {
  for (let index = 0; index < 3; index += 1) await ask('/show kind: markdown');
  await ask('/show kind: select');
  for (let index = 0; index < 2; index += 1) await ask('/show kind: markdown');
  const select = page.getByRole('button', { name: 'Choose some' }).last();
  await select.scrollIntoViewIfNeeded();
  await select.click();
  const list = page.getByRole('listbox', { name: 'Choose some' });
  const apart = async () => {
    const [from, to] = [await select.boundingBox(), await list.boundingBox()];
    return Math.abs(
      Math.min(
        Math.abs((to?.y ?? 0) - (from?.y ?? 0) - (from?.height ?? 0)),
        Math.abs((from?.y ?? 0) - (to?.y ?? 0) - (to?.height ?? 0)),
      ) - 4,
    );
  };
  await expect.poll(apart).toBeLessThan(2);
  const before = (await select.boundingBox())?.y ?? 0;
  await page.evaluate(`document.getElementById('scroller').scrollTop -= 60`);
  await expect.poll(async () => (await select.boundingBox())?.y).toBeCloseTo(before + 60, 0);
  await expect.poll(apart).toBeLessThan(2);
  await page.setViewportSize({ width: 1000, height: 700 });
  await expect.poll(apart).toBeLessThan(2);
  await page.keyboard.press('Escape');
  await list.waitFor({ state: 'detached' });
});

test('the menu of a message goes when one types', async () => {
  await ask('/show kind: embed');
  await newest(page).getByRole('button', { name: 'Apps' }).focus();
  await page.keyboard.press('Enter');
  const item = page.getByRole('menuitem', { name: 'Inspect' });
  await focused(item);
  await page.keyboard.type('/p');
  await item.waitFor({ state: 'hidden' });
  expect(await line(page).inputValue()).toBe('/p');
});

test('older messages come as one scrolls up, and what is read stays in place', async () => {
  const ben = sandbox.user('ben');
  await ben.say('the very first of many');
  for (let index = 0; index < 230; index += 1) await ben.say(`number ${index}`);
  let cut = () => {};
  await page.routeWebSocket(/\/page\/live/, (socket) => {
    socket.connectToServer();
    cut = () => socket.close();
  });
  await page.reload();
  await newest(page).getByText('number 229').waitFor();
  expect(await page.getByText('the very first of many').count()).toBe(0);
  const top = page.locator('.message').first();
  const words = (await top.textContent()) ?? '';
  const held = await top.elementHandle();
  await page.evaluate(`document.getElementById('scroller').scrollTop = 0`);
  await page.getByText('the very first of many').waitFor({ state: 'attached' });
  const at = await held?.boundingBox();
  expect(at?.y).toBeGreaterThan(0);
  expect(at?.y).toBeLessThan(400);
  expect(await held?.evaluate(inPage('return element.textContent'))).toBe(words);
  // What comes meanwhile, and a connection that is made anew, leave the reader there.
  const first = page.getByText('the very first of many');
  await first.scrollIntoViewIfNeeded();
  const place = (await first.boundingBox())?.y;
  const jump = page.getByRole('button', { name: 'New messages' });
  expect(await jump.isVisible()).toBe(false);
  cut();
  await page.getByText('The connection to the sandbox is lost.').waitFor();
  await said('while it was away');
  await jump.waitFor();
  expect((await first.boundingBox())?.y).toBe(place);
});

test('a link to a message of the channel leads there, also to one that is not loaded yet', async () => {
  const ben = sandbox.user('ben');
  const first = await ben.say('where the link leads');
  const address = (id: string) =>
    `https://discord.com/channels/${sandbox.guildId}/${sandbox.channelId}/${id}`;
  for (let index = 0; index < 230; index += 1) await ben.say(`between ${index}`);
  await ben.say(`[back](${address(first.id)}), [nowhere](${address('1')})`);
  await page.reload();
  await newest(page).getByText('back').waitFor();
  const there = page.locator(`.message[data-id="${first.id}"]`);
  expect(await there.count()).toBe(0);
  await newest(page).getByRole('link', { name: 'back' }).click();
  await focused(there);
  expect(await there.evaluate(inPage('return element.matches(".reached")'))).toBe(true);
  const at = await there.boundingBox();
  expect(at?.y).toBeGreaterThan(0);
  expect(at?.y).toBeLessThan(760);
  expect(here.context.pages()).toHaveLength(1);

  await newest(page).getByRole('link', { name: 'nowhere' }).click();
  await newest(page).getByText('That message is no longer here.').waitFor();
});
