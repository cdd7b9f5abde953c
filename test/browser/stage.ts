// What the page's tests play on: a sandbox and a scripted bot for the whole file, and for each test a
// fresh visit, whose console must stay clean. Importing it sets it up.

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { createSandbox } from '../../src/sandbox/index.js';
import type { Sandbox } from '../../src/sandbox/types.js';
import { ScriptedBot } from './bot.js';
import { launch, send, type Visit, visit } from './browser.js';

export let browser: Browser;
export let sandbox: Sandbox;
export let bot: ScriptedBot;
export let here: Visit;
export let page: Page;

beforeAll(async () => {
  browser = await launch();
  sandbox = await createSandbox();
  await enterBot();
});
afterAll(async () => {
  await bot?.end();
  await sandbox?.close();
  await browser?.close();
});
beforeEach(async () => {
  here = await visit(browser, sandbox.url);
  page = here.page;
});
afterEach(async () => {
  await here.context.close();
  expect(here.errors).toEqual([]);
});

/** Another bot takes the place of one that has ended. */
export async function enterBot(): Promise<void> {
  bot = new ScriptedBot(sandbox);
  await bot.start();
}

/** Sends a command whose answer must appear as a further message. */
export async function ask(text: string, on: Page = page): Promise<void> {
  const before = sandbox.messages().length;
  await send(on, text);
  await sandbox.until(() => sandbox.messages().length > before, { what: `an answer to ${text}` });
  const id = sandbox.messages().at(-1)?.id ?? '';
  await on.locator(`.message[data-id="${id}"]`).waitFor();
}
