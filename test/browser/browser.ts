// Starts Chromium for the browser tests and opens the sandbox's page in it.

import { existsSync } from 'node:fs';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core';

const PLACES = [
  process.env.YLEM_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** @throws Error that says how to install Chromium when there is none */
export function launch(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place !== undefined && existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      'The browser tests need Chromium: run `apt-get install -y chromium`, or set YLEM_CHROMIUM to the path of one.',
    );
  }
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** How much longer than usual things may take: for a machine that does much else. */
const PATIENCE = Number(process.env.YLEM_TEST_PATIENCE || 1);

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** uncaught errors and error messages of the page's console */
  readonly errors: string[];
}

/** A fresh profile with the page open and connected. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    locale: 'en-US',
    viewport: { width: 1000, height: 760 },
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000 * PATIENCE);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(url);
  await page.getByText(/ is online$/).waitFor();
  return { page, context, errors };
}

/** The command box while it is a line of text. */
export const line = (page: Page) => page.getByRole('combobox', { name: 'Command', exact: true });

/** Types a line into the command box and sends it. */
export async function send(page: Page, text: string): Promise<void> {
  await line(page).fill(text);
  await line(page).press('Enter');
}

/** The newest message in the list. */
export const newest = (page: Page) => page.locator('.message').last();

/** Waits until the keyboard's focus is there. */
export const focused = (locator: Locator): Promise<void> =>
  locator.and(locator.page().locator(':focus')).waitFor();

/** A function that runs in the page, with the element as `element`; these files have no DOM types. */
export const inPage = <T>(body: string) => new Function('element', body) as (element: unknown) => T;
