// What becomes of what was put into the command box: files, line breaks and prompts that look like
// options survive refusals, Escape and the history; and it stays usable on a low screen.

import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { square } from './bot.js';
import { focused, inPage, line, visit } from './browser.js';
import { browser, here, page, sandbox } from './stage.js';

/** What the newest /paint was given, once there is one more answer than before `act`. */
async function given(act: () => Promise<unknown>): Promise<unknown> {
  const before = sandbox.messages().length;
  await act();
  await sandbox.until(() => sandbox.messages().length > before, { what: 'an answer to /paint' });
  const id = sandbox.messages().at(-1)?.id;
  const block = page.locator(`.message[data-id="${id}"] pre`);
  await block.waitFor();
  return JSON.parse((await block.textContent()) ?? '');
}

const enter = () => page.keyboard.press('Enter');
const prompt = () => page.getByLabel('prompt', { exact: true });
const attached = () => page.getByText(/small\.png · \d+ /);

/** /paint as fields, with a prompt and a file. */
async function withFile(): Promise<void> {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat');
  await page.getByRole('button', { name: 'image', exact: true }).click();
  const chooser = page.waitForEvent('filechooser');
  await page.getByText('Choose, paste or drop a file').click();
  await (await chooser).setFiles({
    name: 'small.png',
    mimeType: 'image/png',
    buffer: await square(40),
  });
  await attached().waitFor();
}

/** Pastes a file, and a text beside it where one is given; true when the page left it to the browser. */
function paste(into: Locator, text?: string): Promise<boolean> {
  return into.evaluate(
    inPage<boolean>(`
      const data = new DataTransfer();
      data.items.add(new File(['x'], 'pasted.png', { type: 'image/png' }));
      ${text === undefined ? '' : `data.setData('text/plain', ${JSON.stringify(text)});`}
      return element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    `),
  );
}

test('a refused command comes back as it was, with its file', async () => {
  await withFile();
  const sentence = 'There is no such command any more.';
  await page.route('**/page/interactions', (route) =>
    route.fulfill({ status: 409, json: { error: sentence } }),
  );
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByRole('alert').getByText(sentence).waitFor();
  expect(await prompt().inputValue()).toBe('a boat');
  await attached().waitFor();
  await page.unroute('**/page/interactions');
  expect(await given(() => page.getByRole('button', { name: 'Send' }).click())).toEqual({
    prompt: 'a boat',
    image: 'small.png',
  });
  // The refusal itself, as the browser reports it.
  expect(here.errors.splice(0)).toEqual([expect.stringContaining('409')]);
});

test('a file stays with its command through Escape, editing and arrow-up', async () => {
  await withFile();
  await page.keyboard.press('Escape');
  await focused(line(page));
  expect(await line(page).inputValue()).toBe('/paint prompt: a boat');
  await page.getByText('small.png stays attached.').waitFor();
  await page.keyboard.type(' steps: 3');
  const whole = { prompt: 'a boat', steps: 3, image: 'small.png' };
  expect(await given(enter)).toEqual(whole);
  await page.keyboard.press('ArrowUp');
  await page.getByText('small.png stays attached.').waitFor();
  expect(await given(enter)).toEqual(whole);
  // One that is typed over it does not get it.
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('/paint prompt: another');
  expect(await given(enter)).toEqual({ prompt: 'another' });
});

test('a file that the history does not have any more is asked for', async () => {
  await withFile();
  await given(() => page.getByRole('button', { name: 'Send' }).click());
  await page.reload();
  await page.getByText(/ is online$/).waitFor();
  await line(page).focus();
  await page.keyboard.press('ArrowUp');
  expect(await line(page).inputValue()).toBe('/paint prompt: a boat');
  await page.getByText('The file for image has to be chosen again.').waitFor();
  await enter();
  await page.getByRole('alert').getByText('image is empty: choose a file or remove it.').waitFor();
});

test('a prompt that looks like an option keeps its meaning', async () => {
  const whole = { prompt: 'a sign that says steps: 9' };
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await prompt().fill(whole.prompt);
  await page.keyboard.press('Escape');
  expect(await given(enter)).toEqual(whole);
  await page.reload();
  await page.getByText(/ is online$/).waitFor();
  await line(page).focus();
  await page.keyboard.press('ArrowUp');
  expect(await given(enter)).toEqual(whole);
});

test('a prompt of several lines is made and shown as such', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('one');
  const height = async () => (await prompt().boundingBox())?.height ?? 0;
  const single = await height();
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  expect(await prompt().inputValue()).toBe('one\ntwo');
  expect(await height()).toBeGreaterThan(single * 1.5);
  await page.keyboard.press('Escape');
  expect(await line(page).inputValue()).toBe('/paint prompt: one\ntwo');
  expect(await given(enter)).toEqual({ prompt: 'one two' });
});

test('why a file was not taken stays until something is typed', async () => {
  await paste(line(page));
  const alert = page.getByRole('alert').getByText('Choose a command that takes a file first');
  await alert.waitFor();
  await page.getByRole('button', { name: 'Send' }).focus();
  await line(page).focus();
  await alert.waitFor();
  await page.keyboard.type('/');
  await alert.waitFor({ state: 'detached' });
});

test('cells of a spreadsheet are pasted as the text that they are', async () => {
  await line(page).fill('/paint prompt: a boat');
  expect(await paste(line(page), 'one\ttwo')).toBe(true);
  expect(await page.locator('.option').count()).toBe(0);
});

test('on a low screen what one chooses from and sends with is within reach', async () => {
  for (const viewport of [
    { width: 640, height: 360 },
    { width: 360, height: 330 },
  ]) {
    const low = await visit(browser, sandbox.url, { viewport });
    const within = async (what: Locator) => {
      const box = await what.boundingBox();
      if (!box) throw new Error('It is not on show');
      expect(box.y).toBeGreaterThanOrEqual(0);
      expect(box.y + box.height).toBeLessThanOrEqual(viewport.height);
      expect(box.x + box.width).toBeLessThanOrEqual(viewport.width);
    };
    await line(low.page).fill('/pai');
    await within(low.page.getByRole('option', { name: /\/paint/ }));
    await low.page.keyboard.press('Tab');
    await low.page.keyboard.type('a very long prompt '.repeat(12));
    for (const name of ['steps', 'guidance', 'size'])
      await low.page.getByRole('button', { name, exact: true }).click();
    const choices = low.page.locator('.suggestions');
    await within(choices);
    await low.page.getByRole('option', { name: 'Wide' }).click();
    await within(low.page.getByRole('button', { name: 'Send' }));
    const before = sandbox.messages().length;
    await low.page.getByRole('button', { name: 'Send' }).click();
    await sandbox.until(() => sandbox.messages().length === before, { what: 'nothing sent yet' });
    // Empty fields are named, and the first of them is on the screen.
    await focused(low.page.getByLabel('steps', { exact: true }));
    await within(low.page.getByLabel('steps', { exact: true }));
    expect(low.errors).toEqual([]);
    await low.context.close();
  }
});
