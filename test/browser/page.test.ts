// The chat page in Chromium, against the sandbox and a scripted bot.

import type { Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import { square } from './bot.js';
import { focused, inPage, line, newest, send, visit } from './browser.js';
import { ask, bot, browser, enterBot, page, sandbox } from './stage.js';

afterEach(() => {
  sandbox.limits.acknowledge = 3000;
});

/** What /paint was given, as its newest answer tells it. */
async function given(on: Page = page): Promise<unknown> {
  const block = newest(on).locator('pre');
  await block.waitFor();
  return JSON.parse((await block.textContent()) ?? '');
}

const scroll = (on: Page = page) =>
  on.evaluate<{ top: number; left: number }>(
    `(() => { const s = document.getElementById('scroller'); return { top: s.scrollTop, left: s.scrollHeight - s.scrollTop - s.clientHeight }; })()`,
  );

test('a line typed in full is sent as it is meant', async () => {
  await ask('/paint prompt: a red fox: on a meadow, 3 steps away steps: 20 size: Wide');
  expect(await given()).toEqual({
    prompt: 'a red fox: on a meadow, 3 steps away',
    steps: 20,
    size: '384x256',
  });
  await newest(page).getByText('used').waitFor();
  expect(await newest(page).locator('.context').textContent()).toMatch(/\/paint$/);
  expect(await line(page).inputValue()).toBe('');
});

test('a command from the list shows its fields and names what is wrong in them', async () => {
  await page.keyboard.type('/pai');
  await page.getByRole('option', { name: /\/paint/ }).waitFor();
  await page.keyboard.press('Tab');
  const prompt = page.getByLabel('prompt', { exact: true });
  await focused(prompt);
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('prompt is required.').waitFor();
  await page.keyboard.type('a boat steps:');
  await page.keyboard.type('99');
  await page.keyboard.press('Enter');
  await page.getByText('steps must be between 1 and 50.').waitFor();
  expect(await page.getByLabel('steps', { exact: true }).getAttribute('aria-invalid')).toBe('true');
  await page.getByLabel('steps', { exact: true }).fill('9');
  await page.getByRole('button', { name: 'private' }).click();
  await page.getByRole('option', { name: 'False' }).click();
  const before = sandbox.messages().length;
  await page.keyboard.press('Enter');
  await sandbox.until(() => sandbox.messages().length > before);
  expect(await given()).toEqual({ prompt: 'a boat', steps: 9, private: false });
});

test('a wrong line opens the fields with what was typed', async () => {
  await send(page, '/paint prompt: a boat steps: many');
  await page.getByText('steps must be a whole number.').waitFor();
  expect(await page.getByLabel('prompt', { exact: true }).inputValue()).toBe('a boat');
  await page.keyboard.press('Escape');
  expect(await line(page).inputValue()).toBe('/paint prompt: a boat steps: many');
  await send(page, '/nothing');
  await page.getByText('There is no command /nothing.').waitFor();
  await send(page, 'hello');
  await page.getByText('Only slash commands can be sent here.').waitFor();
});

test('the bot completes what is typed', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat');
  await page.getByRole('button', { name: 'style' }).click();
  await page.getByRole('option', { name: 'In chalk' }).waitFor();
  await page.keyboard.type('wa');
  await page.getByRole('option', { name: 'In ink' }).waitFor({ state: 'detached' });
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  expect(await page.getByRole('combobox', { name: 'style', exact: true }).inputValue()).toBe(
    'In watercolour',
  );
  const before = sandbox.messages().length;
  await page.keyboard.press('Enter');
  await sandbox.until(() => sandbox.messages().length > before);
  expect(await given()).toEqual({ prompt: 'a boat', style: 'watercolour' });
});

test('a list that was left with Escape comes back with an arrow key', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.getByRole('button', { name: 'private' }).click();
  const choice = page.getByRole('option', { name: 'False' });
  await choice.waitFor();
  await page.keyboard.press('Escape');
  await choice.waitFor({ state: 'hidden' });
  await page.keyboard.press('ArrowDown');
  await choice.waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  expect(await page.getByRole('combobox', { name: 'private' }).inputValue()).toBe('False');
});

test('an option that was added is not left out in silence when it is empty', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat');
  for (const name of ['steps', 'private', 'image', 'style'])
    await page.getByRole('button', { name, exact: true }).click();
  await page.getByRole('option', { name: 'In chalk' }).waitFor();
  const before = sandbox.messages().length;
  await page.keyboard.press('Enter');
  await page
    .getByRole('alert')
    .getByText(
      'steps is empty: enter a value or remove it. private is empty: choose a value or remove it. ' +
        'image is empty: choose a file or remove it. style is empty: enter a value or remove it.',
    )
    .waitFor();
  await focused(page.getByLabel('steps', { exact: true }));
  for (const name of ['steps', 'image', 'style'])
    await page.getByRole('button', { name: `Remove ${name}` }).click();
  // Closed, the list comes back with the message: Enter takes its first choice, and the next one sends.
  const chosen = page.getByRole('combobox', { name: 'private', exact: true });
  await chosen.focus();
  await page.getByRole('option', { name: 'True', selected: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('option', { name: 'True' }).waitFor({ state: 'hidden' });
  await page.keyboard.press('Enter');
  await page
    .getByRole('alert')
    .getByText(/^private is empty/)
    .waitFor();
  expect(await chosen.getAttribute('aria-invalid')).toBe('true');
  await page.getByRole('option', { name: 'True', selected: true }).waitFor();
  expect(sandbox.messages().length).toBe(before);
  await page.keyboard.press('Enter');
  expect(await chosen.inputValue()).toBe('True');
  await page.keyboard.press('Enter');
  await page.locator('.message.ephemeral').last().getByText('"private":true').waitFor();
});

test('an option named in a line and left empty is asked for', async () => {
  await send(page, '/paint prompt: a boat private:');
  await page.getByRole('alert').getByText('private is empty: choose a value').waitFor();
  await focused(page.getByRole('combobox', { name: 'private', exact: true }));
});

test('a choice that was made stays when its field is entered again', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat');
  await page.getByRole('button', { name: 'size', exact: true }).click();
  await page.getByRole('option', { name: 'Square', selected: true }).waitFor();
  await page.getByRole('option', { name: 'Wide' }).click();
  await page.getByLabel('prompt', { exact: true }).focus();
  await page.getByRole('option', { name: 'Square' }).waitFor({ state: 'hidden' });
  await page.getByRole('combobox', { name: 'size', exact: true }).focus();
  await page.getByRole('option', { name: 'Square', selected: false }).waitFor();
  const before = sandbox.messages().length;
  await page.keyboard.press('Enter');
  await sandbox.until(() => sandbox.messages().length > before);
  expect(await given()).toEqual({ prompt: 'a boat', size: '384x256' });
});

test('text that the bot completes is sent as it was typed', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat');
  await page.getByRole('button', { name: 'style', exact: true }).click();
  await page.getByRole('option', { name: 'In chalk' }).waitFor();
  await page.keyboard.type('wa');
  await page.getByRole('option', { name: 'In ink' }).waitFor({ state: 'detached' });
  await page.getByRole('option', { name: 'In watercolour' }).waitFor();
  const before = sandbox.messages().length;
  await page.keyboard.press('Enter');
  await sandbox.until(() => sandbox.messages().length > before);
  expect(await given()).toEqual({ prompt: 'a boat', style: 'wa' });
});

test('Escape leaves a command from the button of a field too', async () => {
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat steps:');
  await page.keyboard.type('9');
  await page.keyboard.press('Tab');
  await focused(page.getByRole('button', { name: 'Remove steps' }));
  await page.keyboard.press('Escape');
  await focused(line(page));
  expect(await line(page).inputValue()).toBe('/paint prompt: a boat steps: 9');
});

test('files are chosen or pasted, and too large ones refused with a sentence', async () => {
  const buffer = await square(40);
  await page.keyboard.type('/paint');
  await page.keyboard.press('Tab');
  await page.keyboard.type('a boat');
  await page.getByRole('button', { name: 'image' }).click();
  const chooser = page.waitForEvent('filechooser');
  await page.getByText('Choose, paste or drop a file').click();
  await (await chooser).setFiles({
    name: 'big.png',
    mimeType: 'image/png',
    buffer: Buffer.alloc(11 * 1024 * 1024),
  });
  await page.getByText('big.png is 11.0 MiB; at most 10.0 MiB can be sent.').waitFor();
  const again = page.waitForEvent('filechooser');
  await page.locator('.file-button').click();
  await (await again).setFiles({ name: 'small.png', mimeType: 'image/png', buffer });
  await page.getByText(/small\.png · \d+ /).waitFor();
  const before = sandbox.messages().length;
  await page.getByRole('button', { name: 'Send' }).click();
  await sandbox.until(() => sandbox.messages().length > before);
  expect(await given()).toEqual({ prompt: 'a boat', image: 'small.png' });

  await line(page).fill('/paint prompt: pasted');
  await line(page).evaluate(
    inPage(`
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(${JSON.stringify([...buffer])})], 'pasted.png', { type: 'image/png' }));
    element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  `),
  );
  await page.getByText(/pasted\.png · \d+ /).waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  await sandbox.until(() => sandbox.messages().length > before + 1);
  await newest(page).getByText('"image":"pasted.png"').waitFor();
});

test('buttons answer in place and keep the focus of the keyboard', async () => {
  await ask('/show kind: buttons');
  const message = newest(page);
  const count = message.getByRole('button', { name: 'Count' });
  await count.focus();
  await page.keyboard.press('Enter');
  await message.getByText('Pressed 1').waitFor();
  await page.keyboard.press(' ');
  await message.getByText('Pressed 2').waitFor();
  await focused(count);
  expect(await message.getByRole('button', { name: 'Off' }).getAttribute('aria-disabled')).toBe(
    'true',
  );
  expect(await message.getByRole('link', { name: 'Away' }).getAttribute('rel')).toContain(
    'noopener',
  );
});

test('a bot that does not answer is said not to', async () => {
  sandbox.limits.acknowledge = 400;
  await ask('/show kind: buttons');
  await newest(page).getByRole('button', { name: 'Silent' }).click();
  await newest(page).getByText('The application did not respond').waitFor();
  await send(page, '/silent');
  await page.locator('.content.failed').getByText('The application did not respond').waitFor();
  // What comes later stands below it.
  await ask('/paint prompt: later');
  await newest(page).getByText('later').waitFor();
  await page.getByRole('button', { name: 'Dismiss', exact: true }).click();
  await page.locator('.content.failed').waitFor({ state: 'detached' });
});

test('a select takes several values from the keyboard', async () => {
  await ask('/show kind: select');
  await newest(page).getByRole('button', { name: 'Choose some' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press(' ');
  await page.keyboard.press('b');
  await page.keyboard.press(' ');
  await page.keyboard.press('Enter');
  await newest(page).getByText('Chose red and blue').waitFor();
  expect(bot.heard.at(-1)).toBe('red+blue');
});

test('a form checks, sends and is answered', async () => {
  await ask('/show kind: buttons');
  await newest(page).getByRole('button', { name: 'Form' }).click();
  const form = page.getByRole('dialog', { name: 'A form' });
  await form.getByRole('button', { name: 'Submit' }).click();
  await form.getByText('This is required.').waitFor();
  await form.getByLabel('Title').fill('ab');
  await form.getByLabel('Title').press('Enter');
  await form.getByText('At least 3 characters, please.').waitFor();
  await form.getByLabel('Title').fill('a tale');
  await form.getByLabel('Title').press('Enter');
  await form.waitFor({ state: 'detached' });
  await newest(page).getByText('The form says a tale / once').waitFor();
});

test('an ephemeral answer is seen by one person, until they dismiss it', async () => {
  await ask('/paint prompt: whispered private: true');
  const whisper = page.locator('.message.ephemeral').last();
  await whisper.getByText('Only you can see this').waitFor();
  const id = (await whisper.getAttribute('data-id')) ?? '';
  await page.getByRole('radio', { name: 'Ben' }).click();
  await page.getByRole('radio', { name: 'Ben', checked: true }).waitFor();
  await page.locator(`.message[data-id="${id}"]`).waitFor({ state: 'detached' });
  await page.getByRole('radio', { name: 'Ada' }).click();
  const back = page.locator(`.message[data-id="${id}"]`);
  await back.getByRole('button', { name: 'Dismiss message' }).click();
  await back.waitFor({ state: 'detached' });
  await page.reload();
  await page.getByText(/ is online$/).waitFor();
  expect(await back.count()).toBe(0);
});

test('a picture forms in place, is never blank, and moves nothing around it', async () => {
  await ask('/live');
  await newest(page).getByText('is thinking').waitFor();
  await bot.paint(0, 'step 1');
  const picture = newest(page).locator('.picture');
  await picture.locator('img').waitFor();
  await picture.evaluate(
    inPage(`
    window.boxes = new Set();
    window.blank = 0;
    window.same = element;
    new MutationObserver(() => {
      if (element.querySelectorAll('img').length === 0) window.blank += 1;
      const box = element.getBoundingClientRect();
      window.boxes.add(box.width + 'x' + box.height);
    }).observe(element, { subtree: true, childList: true });
  `),
  );
  for (const [at, hue] of [90, 180, 270].entries()) {
    const before = await picture.locator('img').last().getAttribute('src');
    await bot.paint(hue, `step ${at + 2}`);
    await newest(page)
      .getByText(`step ${at + 2}`)
      .waitFor();
    await expect
      .poll(() => picture.locator('img').last().getAttribute('src'), { timeout: 10_000 })
      .not.toBe(before);
  }
  await expect.poll(() => picture.locator('img').count(), { timeout: 10_000 }).toBe(1);
  expect(await page.evaluate('[window.blank, window.boxes.size, window.same.isConnected]')).toEqual(
    [0, 1, true],
  );
  expect(await picture.locator('img').getAttribute('alt')).toBe('step 4');
  expect((await scroll()).left).toBeLessThan(2);
});

test('a reader above is left where they are and led to the end on demand', async () => {
  for (let index = 0; index < 4; index += 1) await ask('/show kind: markdown');
  await page.evaluate(`document.getElementById('scroller').scrollTop = 0`);
  const ben = sandbox.user('ben');
  await ben.command('paint', { prompt: 'from below' });
  const jump = page.getByRole('button', { name: 'New messages' });
  await jump.waitFor();
  expect((await scroll()).top).toBe(0);
  await jump.click();
  await page.getByText('from below').last().waitFor();
  expect((await scroll()).left).toBeLessThan(2);
  expect(await jump.isVisible()).toBe(false);
});

test('markdown, embeds and the second generation of components are shown', async () => {
  await ask('/show kind: markdown');
  const text = newest(page).locator('.content');
  for (const tag of [
    'strong',
    'em',
    'u',
    's',
    'code',
    'blockquote',
    'small',
    'li',
    'pre',
    'time',
  ]) {
    expect(await text.locator(tag).count(), tag).toBeGreaterThan(0);
  }
  expect(await text.textContent()).toContain('snake_case_name 2 * 3 * 4');
  await text.getByRole('button', { name: /Spoiler/ }).press('Enter');
  expect(await text.getByText('hidden').isVisible()).toBe(true);
  await ask('/show kind: embed');
  expect(await newest(page).locator('.embed').textContent()).toMatch(
    /An embed[\s\S]*with text[\s\S]*Left[\s\S]*at the foot/,
  );
  await ask('/show kind: v2');
  await newest(page).getByRole('heading', { name: 'Second generation' }).waitFor();
  expect(await newest(page).locator('.picture').count()).toBe(3);
});

test('pictures enlarge and are gone through with the keyboard', async () => {
  await ask('/show kind: v2');
  const first = newest(page).getByRole('button', { name: 'Enlarge: Square 1' });
  await first.locator('img').waitFor();
  await newest(page).getByRole('button', { name: 'Enlarge: Square 3' }).locator('img').waitFor();
  await first.focus();
  await page.keyboard.press('Enter');
  const box = page.getByRole('dialog', { name: 'Picture' });
  await box.getByText('Square 1').waitFor();
  await page.keyboard.press('ArrowRight');
  await box.getByText('Square 2').waitFor();
  expect(await box.getByRole('link', { name: 'Download' }).getAttribute('download')).toBe(
    'v2-1.png',
  );
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'hidden' });
  const second = newest(page).getByRole('button', { name: 'Enlarge: Square 2' });
  await focused(second);
});

test('what users and bots write stays text', async () => {
  const title = await page.title();
  await ask('/show kind: hostile');
  expect(await newest(page).locator('img, script').count()).toBe(0);
  const links = await newest(page)
    .locator('a')
    .evaluateAll(inPage('return element.map((a) => [a.protocol, a.rel, a.target])'));
  expect(links).toEqual(Array(3).fill(['https:', 'noopener noreferrer', '_blank']));
  await ask('/paint prompt: <img src=x onerror="document.title=1">');
  expect(await newest(page).locator('img').count()).toBe(0);
  expect(await page.title()).toBe(title);
});

test('arrow-up brings back what was sent', async () => {
  await ask('/paint prompt: first');
  await ask('/paint prompt: second steps: 3');
  await line(page).focus();
  await page.keyboard.press('ArrowUp');
  expect(await line(page).inputValue()).toBe('/paint prompt: second steps: 3');
  await page.keyboard.press('ArrowUp');
  expect(await line(page).inputValue()).toBe('/paint prompt: first');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  expect(await line(page).inputValue()).toBe('');
});

test('the hints for a first visit fill the command box', async () => {
  await page.evaluate(`document.getElementById('welcome').hidden = false`);
  for (const [name, text] of [
    ['/imagine prompt: a red fox on a meadow', '/imagine prompt: a red fox on a meadow'],
    ['/imagine prompt: a red fox and a blue house', '/imagine prompt: a red fox and a blue house'],
    // Behind the space Enter sends the command, where it would else open its fields.
    ['/imagine', '/imagine '],
    ['/steps', '/steps '],
  ] as const) {
    await page.getByRole('button', { name, exact: true }).click();
    expect(await line(page).inputValue()).toBe(text);
  }
});

test('on a phone nothing is wider than the screen', async () => {
  const phone = await visit(browser, sandbox.url, {
    viewport: { width: 360, height: 740 },
    isMobile: true,
    hasTouch: true,
    colorScheme: 'dark',
  });
  for (const kind of ['wide', 'v2', 'buttons', 'select', 'embed'])
    await ask(`/show kind: ${kind}`, phone.page);
  await line(phone.page).tap();
  await phone.page.keyboard.type('/paint');
  await phone.page.getByRole('option', { name: /\/paint/ }).tap();
  await phone.page.keyboard.type('a very long prompt '.repeat(12));
  const width = await phone.page.evaluate(
    `Math.max(document.documentElement.scrollWidth, document.getElementById('scroller').scrollWidth, document.querySelector('.box').getBoundingClientRect().right)`,
  );
  expect(width).toBeLessThanOrEqual(360);
  expect(phone.errors).toEqual([]);
  await phone.context.close();
});

test('on the narrowest phone the fields of a command keep within the screen', async () => {
  const phone = await visit(browser, sandbox.url, {
    viewport: { width: 320, height: 568 },
    isMobile: true,
    hasTouch: true,
  });
  await line(phone.page).tap();
  await phone.page.keyboard.type('/paint');
  await phone.page.getByRole('option', { name: /\/paint/ }).tap();
  await phone.page.keyboard.type('a boat');
  await phone.page.getByRole('button', { name: 'style', exact: true }).tap();
  const box = async (selector: string) => {
    const found = await phone.page.locator(selector).last().boundingBox();
    if (!found) throw new Error(`${selector} is not on show`);
    return { left: found.x, right: found.x + found.width, width: found.width };
  };
  expect(await phone.page.evaluate('[innerWidth, document.documentElement.scrollWidth]')).toEqual([
    320, 320,
  ]);
  const [frame, remove, text] = [
    await box('.option'),
    await box('.option .field-remove'),
    await box('.option .field-input'),
  ];
  expect(remove.right).toBeLessThanOrEqual(frame.right);
  expect(remove.left).toBeGreaterThanOrEqual(text.right);
  expect(frame.right).toBeLessThan((await box('.box')).right);
  expect(text.width).toBeGreaterThan(150);
  // A long hint is shown in full.
  const hint = phone.page.locator('#composer-hint');
  await hint.evaluate(inPage(`element.textContent = 'one word after the other '.repeat(4)`));
  expect(await hint.evaluate(inPage('return element.scrollWidth <= element.clientWidth'))).toBe(
    true,
  );
  expect(phone.errors).toEqual([]);
  await phone.context.close();
});

test('light and dark follow the system until they are chosen', async () => {
  const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await background();
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.getByRole('button', { name: 'Light colours' }).waitFor();
  expect(await background()).not.toBe(light);
  await page.getByRole('button', { name: 'Light colours' }).click();
  expect(await background()).toBe(light);
  await page.reload();
  await page.getByRole('button', { name: 'Dark colours' }).waitFor();
  expect(await background()).toBe(light);
});

test('commands speak the language of the browser', async () => {
  const german = await visit(browser, sandbox.url, { locale: 'de-AT' });
  await line(german.page).fill('/m');
  await german.page.getByRole('option', { name: /\/malen\s*Sagt, was es bekam/ }).waitFor();
  await ask('/malen prompt: ein Boot', german.page);
  expect(await given(german.page)).toEqual({ prompt: 'ein Boot' });
  expect(german.errors).toEqual([]);
  await german.context.close();
});

test('a lost connection is said and made good', async () => {
  const context = await browser.newContext();
  const other = await context.newPage();
  let cut = () => {};
  let open = true;
  await other.routeWebSocket(/\/page\/live/, (socket) => {
    if (!open) {
      socket.close();
      return;
    }
    socket.connectToServer();
    cut = () => socket.close();
  });
  await other.goto(sandbox.url);
  await other.getByText(/ is online$/).waitFor();
  open = false;
  cut();
  await other.getByText('The connection to the sandbox is lost.').waitFor();
  const missed = await sandbox.user('ben').command('paint', { prompt: 'while it was away' });
  await missed.waitFor();
  open = true;
  await other.getByText('while it was away').waitFor();
  await other.getByText('The connection to the sandbox is lost.').waitFor({ state: 'hidden' });
  await context.close();
});

test('a page of another origin gets nothing', async () => {
  const user = sandbox.user('ada').id;
  for (const path of [
    `page/state?user=${user}`,
    'page/interactions',
    `page/uploads?user=${user}`,
  ]) {
    const answer = await fetch(new URL(path, sandbox.url), {
      method: path.startsWith('page/state') ? 'GET' : 'POST',
      headers: { origin: 'https://example.com', 'content-type': 'application/json' },
      ...(path.startsWith('page/state') ? {} : { body: '{}' }),
    });
    expect(answer.status, path).toBe(403);
  }
  const stranger = await browser.newContext();
  const elsewhere = await stranger.newPage();
  await elsewhere.route('https://example.com/', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<p>elsewhere' }),
  );
  await elsewhere.goto('https://example.com/');
  const outcome = await elsewhere.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket(${JSON.stringify(`${sandbox.url.replace('http', 'ws')}page/live?user=${user}`)});
    socket.onmessage = () => resolve('a message');
    socket.onerror = () => resolve('refused');
  })`);
  expect(outcome).toBe('refused');
  await stranger.close();
});

test('a bot that leaves is shown as offline, and as online when it is back', async () => {
  await bot.end();
  await page.getByText(/ is offline$/).waitFor();
  await enterBot();
  await page.getByText(/ is online$/).waitFor();
});
