// The whole way as a first visitor goes it: the real bot as one command starts it, the page it prints,
// from typing to the picture, another one, and how it came to be.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { focused, inPage, launch, newest, type Visit, visit } from './browser.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let browser: Browser;
let bot: ChildProcess;
let directory: string;
let here: Visit;
let page: Page;

beforeAll(async () => {
  browser = await launch();
  directory = await mkdtemp(join(tmpdir(), 'ylem-journey-'));
  const { DISCORD_TOKEN: _token, YLEM_MODEL: _model, ...env } = process.env;
  bot = spawn(process.execPath, [join(ROOT, 'bin/ylem.js'), 'start'], {
    cwd: directory,
    env: {
      ...env,
      YLEM_DATA_DIR: directory,
      YLEM_SANDBOX: '1',
      YLEM_SANDBOX_PORT: '0',
      YLEM_PROVIDERS: 'cpu',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  here = await visit(browser, await address(bot));
  page = here.page;
});
afterAll(async () => {
  await browser?.close();
  if (bot !== undefined && bot.exitCode === null) {
    const ended = new Promise((done) => bot.once('close', done));
    bot.kill('SIGTERM');
    await ended;
  }
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

/** The page's address, as the bot prints it. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((found, reject) => {
    let text = '';
    const read = (chunk: Buffer) => {
      text += chunk.toString();
      const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(text);
      if (url && text.includes('Open it')) found(url[0]);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('close', (code) => reject(new Error(`the bot ended (${code}):\n${text}`)));
  });
}

/** The seed that the newest message tells once its picture is done. */
async function seed(): Promise<string> {
  const facts = newest(page).locator('.text.content').getByText(/Seed/);
  await facts.waitFor({ timeout: 90_000 });
  return (await facts.locator('code').first().textContent()) ?? '';
}

/** Waits until the newest message is another one than `last`; resolves with its id. */
async function another(last: string | null): Promise<string | null> {
  const id = () => newest(page).getAttribute('data-id');
  await expect
    .poll(async () => /^\d+$/.test((await id()) ?? '') && (await id()) !== last, {
      timeout: 30_000,
    })
    .toBe(true);
  return id();
}

test('from the first line to the picture, another one, and its steps', async () => {
  await page.evaluate(`(() => {
    window.shown = new Set();
    new MutationObserver(() => {
      for (const image of document.querySelectorAll('.picture img')) window.shown.add(image.src.split('?')[0]);
    }).observe(document.body, { subtree: true, childList: true });
  })()`);
  await page.getByRole('button', { name: '/imagine prompt: a red fox on a meadow' }).click();
  await page.keyboard.press('Enter');
  const first = await another(null);
  await newest(page).getByText('used').waitFor();
  const firstSeed = await seed();
  expect(firstSeed).toMatch(/^\d+$/);
  // At least one preview was on show before the final picture.
  expect(await page.evaluate<number>('window.shown.size')).toBeGreaterThanOrEqual(2);
  const image = newest(page).locator('.picture img');
  await expect.poll(() => image.count(), { timeout: 10_000 }).toBe(1);
  expect(await image.evaluate(inPage<number>('return element.naturalWidth'))).toBeGreaterThan(0);
  expect(await image.getAttribute('alt')).toContain('a red fox on a meadow');
  // How the README's screenshot is made anew: YLEM_SCREENSHOT=docs/sandbox.png npm run test:browser
  const shot = process.env.YLEM_SCREENSHOT;
  if (shot !== undefined) await page.screenshot({ path: resolve(ROOT, shot) });

  await newest(page).getByRole('button', { name: 'Reroll' }).click();
  const second = await another(first);
  expect(await seed()).not.toBe(firstSeed);

  await newest(page).getByRole('button', { name: 'Steps' }).click();
  await another(second);
  const sheet = newest(page).locator('.picture img');
  await sheet.waitFor({ timeout: 60_000 });
  await newest(page).locator('.picture').click();
  const box = page.getByRole('dialog', { name: 'Picture' });
  await box.getByRole('link', { name: 'Download' }).waitFor();
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'hidden' });
  expect(here.errors).toEqual([]);
});

test('from a picture: by the menu of its message with the keyboard alone, and by files of one’s own', async () => {
  const done = page.locator('.message', { has: page.getByRole('button', { name: 'Reroll' }) });
  const message = done.first();
  const apps = message.getByRole('button', { name: 'Apps' });
  await apps.focus();
  await page.keyboard.press('Enter');
  await focused(page.getByRole('menuitem', { name: 'Reroll' }));
  await page.keyboard.press('ArrowDown');
  await focused(page.getByRole('menuitem', { name: 'Use as init image' }));
  await page.keyboard.press('Escape');
  await focused(apps);
  expect(await page.getByRole('menu').count()).toBe(0);
  // The same by the mouse's other button, beside the picture.
  await message.locator('.head').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Use as init image' }).click();
  const form = page.getByRole('dialog', { name: 'Paint from this picture' });
  await form.getByLabel('Prompt', { exact: true }).fill('a fox in the snow');
  await form.getByLabel('strength').fill('0.5');
  const before = await newest(page).getAttribute('data-id');
  await form.getByRole('button', { name: 'Submit' }).click();
  const painted = await another(before);
  await seed();
  await newest(page).getByText('from an image, strength 0.5').waitFor();
  expect(await newest(page).locator('.context').textContent()).toContain('Use as init image');

  await page.keyboard.type('/imagine');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a fox by the sea');
  const own = await sharp({
    create: { width: 96, height: 64, channels: 3, background: '#3060c0' },
  })
    .png()
    .toBuffer();
  for (const name of ['image', 'mask']) {
    const field = page.getByRole('button', { name, exact: true });
    await field.click();
    const chooser = page.waitForEvent('filechooser');
    await page.getByText('Choose, paste or drop a file').last().click();
    await (await chooser).setFiles({ name: `${name}.png`, mimeType: 'image/png', buffer: own });
    await page.getByText(`${name}.png`).first().waitFor();
  }
  await page.getByRole('button', { name: 'Send' }).click();
  await another(painted);
  await seed();
  await newest(page).getByText('from an image with a mask, strength 1').waitFor();
  expect(here.errors).toEqual([]);
});
