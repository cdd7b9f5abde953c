// What of the page's look can be put into numbers: contrast, alignment, and what moves.

import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { focused, inPage, newest } from './browser.js';
import { ask, page } from './stage.js';

/** The relative luminance of a colour as `getComputedStyle` gives it (WCAG 2.2). */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map((text) => {
    const value = Number(text) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Of two colours, 1 to 21 (WCAG 2.2). */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** The colours of an element's border, of its inside, and of what it lies on. */
const COLOURS = inPage<string[]>(`
  const filled = (at) => {
    const colour = getComputedStyle(at).backgroundColor;
    return colour === 'rgba(0, 0, 0, 0)' ? filled(at.parentElement) : colour;
  };
  element.style.transition = 'none';
  return [getComputedStyle(element).borderTopColor, filled(element), filled(element.parentElement)];
`);

/** Tells when a border is hard to see against either side. */
async function expectVisible(field: Locator): Promise<void> {
  await page.evaluate('document.activeElement.blur()');
  const [border = '', ...sides] = await field.evaluate(COLOURS);
  for (const side of sides)
    expect(contrast(border, side), `${border} on ${side}`).toBeGreaterThanOrEqual(3);
}

test.each(['light', 'dark'] as const)(
  'the borders of what one writes into or chooses from stand out, %s',
  async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await expectVisible(page.locator('.box'));
    await ask('/show kind: select');
    await expectVisible(page.locator('.select').last());
    await ask('/show kind: buttons');
    await newest(page).getByRole('button', { name: 'Form' }).click();
    const title = page.getByRole('dialog', { name: 'A form' }).getByLabel('Title');
    await expectVisible(title);
    await title.press('Escape');
    await title.waitFor({ state: 'detached' });
    await page.keyboard.type('/paint');
    await page.keyboard.press('Tab');
    await expectVisible(page.locator('.option'));
  },
);

test('messages begin where the command box begins, at any width that has room for both', async () => {
  await ask('/show kind: embed');
  for (const width of [700, 925, 1280, 1920]) {
    await page.setViewportSize({ width, height: 800 });
    const [portrait, box] = await Promise.all(
      [newest(page).locator('.portrait'), page.locator('.box')].map((one) => one.boundingBox()),
    );
    expect(portrait?.x, `${width} px`).toBeCloseTo(box?.x ?? 0, 0);
  }
});

test('an animation stands still for who wants less motion, until they play it at full size', async () => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await ask('/show kind: animation');
  const picture = newest(page).getByRole('button', { name: 'Play: Red, then blue' });
  const frame = picture.locator('canvas');
  await frame.waitFor();
  expect(await picture.locator('img').count()).toBe(0);
  const [red = 0, , blue = 0] = await frame.evaluate(
    inPage<number[]>(`return [...element.getContext('2d').getImageData(64, 64, 1, 1).data]`),
  );
  expect(red).toBeGreaterThan(blue);
  await picture.click();
  const film = page.getByRole('dialog', { name: 'Picture' }).locator('img');
  expect(await film.getAttribute('src')).toContain('animation-7.webp');
  await page.keyboard.press('Escape');
  await focused(picture);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await ask('/show kind: animation');
  await newest(page)
    .getByRole('button', { name: 'Enlarge: Red, then blue' })
    .locator('img')
    .waitFor();
});
