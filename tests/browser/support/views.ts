// Which views the page has: asked of its own router, so that a new page is looked at without being
// named here. Only what stands for an id must be known.
import type { Page } from '@playwright/test';

/** An id for each kind of thing that has a page of its own, by the first part of its address. */
export type Ids = Record<string, string>;

export interface View {
  /** Behind the `#`. */
  path: string;
  /** The route it belongs to. */
  route: string;
  /** For visitors who are not logged in. */
  open: boolean;
}

/** Addresses that need more than their path to show something. */
const QUERIES: Record<string, (ids: Ids) => string> = {
  '/search': () => '?q=1',
  '/timeline': (ids) => `?order=${ids['orders']}`,
};

/** Tabs and sections of one page that are looked at, at most. */
const MOST_PARTS = 24;

interface Known {
  path: string;
  open: boolean;
}

interface Router {
  getRoutes: () => { path: string; meta: Record<string, unknown> }[];
  push: (path: string) => Promise<unknown>;
}

/** What Vue leaves at the element that an app is mounted on. */
interface Mounted {
  __vue_app__: { config: { globalProperties: { $router: Router } } };
}

async function routes(page: Page): Promise<Known[]> {
  await page.locator('h1').first().waitFor();
  return page.evaluate(() => {
    const { $router } = (document.querySelector('#app') as unknown as Mounted).__vue_app__.config.globalProperties;
    return $router.getRoutes().map((one) => ({ path: one.path, open: one.meta['open'] === true }));
  });
}

/** Every address of the page, with the ids filled in; `page` shows any of them. */
export async function views(page: Page, ids: Ids): Promise<View[]> {
  const found: View[] = [];
  for (const { path: route, open } of await routes(page)) {
    const kind = route.split('/')[1] ?? '';
    const plain = route.replace(/\/:[^/]*\?$/, '') || '/';
    const add = (path: string): void => void found.push({ path: path + (QUERIES[path]?.(ids) ?? ''), route, open });
    if (route.includes('(.*)')) add('/nowhere');
    else if (!/:id\b(?!\?)/.test(route)) add(plain);
    if (/:id\b/.test(route)) {
      const id = ids[kind];
      if (!id) throw new Error(`${route}: no id is known for "${kind}"; give one in support/life.ts`);
      add(plain.includes(':id') ? plain.replace(/:id\??/, id) : `${plain}/${id}`);
    }
  }
  return found;
}

/** The tabs and sections of the view that is shown, by their addresses; without what is shown now. */
export async function parts(page: Page): Promise<string[]> {
  const here = await hash(page);
  const found = new Set<string>();
  const links = page.locator('main nav a[href*="#/"]');
  for (const link of await links.all()) found.add(((await link.getAttribute('href')) ?? '').replace(/^.*#/, ''));
  const tabs = page.locator('main [role=tab]');
  const count = Math.min(await tabs.count(), MOST_PARTS);
  for (let n = 0; n < count; n += 1) {
    await tabs.nth(n).click();
    found.add(await hash(page));
  }
  if (count) await open(page, here);
  found.delete(here);
  return [...found].slice(0, MOST_PARTS);
}

async function hash(page: Page): Promise<string> {
  return page.evaluate(() => location.hash.slice(1));
}

/** Goes to `path` without loading the page anew; what was shown before is gone then. */
export async function open(page: Page, path: string): Promise<void> {
  await page.locator('h1').first().waitFor();
  await page.evaluate(async (to) => {
    await (document.querySelector('#app') as unknown as Mounted).__vue_app__.config.globalProperties.$router.push(to);
  }, path);
  await settled(page);
}

/** Waits until what was asked of the server is there and drawn, and no colour is on its way to another. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor();
  await page.waitForFunction(() => {
    const waits = document.querySelector('[aria-busy=true], .skeleton, .ghost, .el-loading-mask, .el-skeleton');
    const words = [...document.querySelectorAll('[role=status]')].some((one) => /^(正在载入|Loading)/.test(one.textContent?.trim() ?? ''));
    const moves = document.getAnimations().some((one) => one instanceof CSSTransition && one.playState !== 'finished');
    return !waits && !words && !moves && [...document.images].every((image) => image.complete || image.loading === 'lazy');
  });
  // Two frames: what has come is in the layout then.
  await page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
}
