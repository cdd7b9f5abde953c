// The keyboard's way between the command box and the messages.

import { expect, test } from 'vitest';
import { focused, line, newest, visit } from './browser.js';
import { ask, browser, page, sandbox } from './stage.js';

const press = (key: string) => page.keyboard.press(key);

test('the arrow keys lead from the box through the messages and back, Tab to what one of them holds', async () => {
  await ask('/show kind: embed');
  await ask('/show kind: buttons');
  // After the mouse too the focus is shown.
  await newest(page).locator('.head').click();
  await line(page).click();
  await press('Alt+ArrowUp');
  await focused(newest(page));
  expect(await newest(page).evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe(
    'solid',
  );
  await press('ArrowUp');
  await focused(page.locator('.message').nth(-2));
  await press('ArrowDown');
  await focused(newest(page));
  await press('Tab');
  await focused(newest(page).getByRole('button', { name: 'Count' }));
  // At a control they are not the way any more, but Escape is.
  await press('ArrowUp');
  await focused(newest(page).getByRole('button', { name: 'Count' }));
  await press('Escape');
  await focused(line(page));
  await press('Alt+ArrowUp');
  await press('ArrowDown');
  await focused(line(page));
});

test('the way to the messages is told while the box is empty, and open where one writes a command', async () => {
  const hint = page.locator('#composer-hint').getByText('Alt ↑ to the messages');
  await hint.waitFor();
  await ask('/show kind: embed');
  await hint.waitFor();
  await page.keyboard.type('/p');
  expect(await hint.count()).toBe(0);
  // In a list the arrow keys are the list's.
  await press('Alt+ArrowUp');
  await focused(line(page));
  await press('Tab');
  await page.keyboard.type('a boat');
  await press('Alt+ArrowUp');
  await focused(newest(page));
  await press('Escape');
  await focused(page.getByLabel('prompt', { exact: true }));
});

test('where there is no keyboard its ways are not told', async () => {
  const phone = await visit(browser, sandbox.url, { isMobile: true, hasTouch: true });
  await line(phone.page).tap();
  await focused(line(phone.page));
  expect(await phone.page.locator('#composer-hint').textContent()).toBe('');
  await phone.context.close();
});
