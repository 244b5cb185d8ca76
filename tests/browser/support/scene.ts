// What every scene starts with: a sandbox of its file, a page that is watched, and somebody who is
// logged in. A page that asks another host for anything, breaks the content policy or throws fails the
// scene, whatever else it shows.
import { expect, test as base, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { OWNER, Server } from './server';

export { expect, OWNER };

interface Fixtures {
  /** A page that nobody is logged in on. */
  visitor: Page;
  /** A page of the sandbox's owner. */
  owner: Page;
}

interface WorkerFixtures {
  sandbox: Server;
  /** The cookies of the owner: a log-in costs seconds, so there is one. */
  ownerState: Awaited<ReturnType<BrowserContext['storageState']>>;
}

export function watch(page: Page, home: string): string[] {
  const wrong: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${home}/`) && !/^(data|blob):/.test(url)) wrong.push(`a request to another host: ${url}`);
  });
  page.on('console', (message) => {
    const text = message.text();
    if (/content security policy|refused to/i.test(text)) wrong.push(`the content policy was broken: ${text}`);
    // The browser notes each answer that is no success itself; scenes that expect one look at the page.
    else if (message.type() === 'error' && !/^Failed to load resource/.test(text)) wrong.push(`an error on the console: ${text}`);
  });
  page.on('pageerror', (error) => wrong.push(`the page threw: ${error.stack ?? error.message}`));
  return wrong;
}

export async function logIn(page: Page, home: string, username: string, password: string): Promise<void> {
  await page.goto(`${home}/admin`);
  await page.locator('input[name=username]').fill(username);
  await page.locator('input[name=password]').fill(password);
  await page.getByRole('button', { name: '登录' }).click();
}

/** The page of an administrator of this name in a browser of his own. */
export async function asAdmin(browser: Browser, home: string, username: string, password: string): Promise<Page> {
  const context = await browser.newContext({ locale: 'zh-CN' });
  const page = await context.newPage();
  await logIn(page, home, username, password);
  await expect(page.getByRole('navigation', { name: '主菜单' })).toBeVisible();
  return page;
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  sandbox: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const server = await Server.start('sandbox');
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  ownerState: [
    async ({ browser, sandbox }, use) => {
      const page = await asAdmin(browser, sandbox.base, OWNER.username, OWNER.password);
      const state = await page.context().storageState();
      await page.context().close();
      await use(state);
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  visitor: async ({ page, sandbox }, use) => {
    const wrong = watch(page, sandbox.base);
    await use(page);
    expect(wrong).toEqual([]);
  },
  owner: async ({ browser, sandbox, ownerState }, use) => {
    const context = await browser.newContext({ storageState: ownerState, locale: 'zh-CN', viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const wrong = watch(page, sandbox.base);
    await page.goto(`${sandbox.base}/admin`);
    await use(page);
    await context.close();
    expect(wrong).toEqual([]);
  },
});

/** Gives the password again if the page asks for it, until `done` holds: what was given a moment ago is not asked for. */
export async function stepUp(page: Page, done: Locator, password = OWNER.password): Promise<void> {
  const dialog = page.getByRole('dialog', { name: '请再次确认是您本人' });
  await expect(async () => {
    if (await dialog.isVisible()) {
      await dialog.getByLabel('密码').fill(password);
      await dialog.getByRole('button', { name: '确认' }).click();
      await expect(dialog).toBeHidden();
    }
    await expect(done).toBeVisible({ timeout: 500 });
  }).toPass();
}
