// Every page at 1440 and at 375 px, light and dark, whole, into the folder SHOTS (results/shots):
//   DREAM_BFF=../../target/debug/dream-bff npm run shots -- -g "pages"
// ONLY=/orders,/review takes those that begin so; BASE takes a page that is served elsewhere (`npm run dev`).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { adminCalls, live } from '../support/life';
import { test } from '../support/scene';
import { open, parts, settled, views } from '../support/views';

const FOLDER = process.env['SHOTS'] ?? 'results/shots';
const ONLY = process.env['ONLY']?.split(',') ?? [''];
const LANGUAGE = process.env['LANGUAGE_OF_PAGE'] ?? 'zh-CN';
const WIDTHS = [1440, 375];
/** A list of thousands of rows is not looked at to its end. */
const TALLEST = 2400;

function nameOf(path: string): string {
  return path.replace(/\?.*/, '').replace(/^\//, '').replace(/\//g, '_') || 'home';
}

async function shoot(page: Page, name: string): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width > 640 ? 900 : 812 });
      await settled(page);
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height: Math.min(TALLEST, Math.max(height, 600)) });
      await settled(page);
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(FOLDER, `${name}.${width}.${theme}.png`) });
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

test('pages', async ({ owner, sandbox }) => {
  mkdirSync(FOLDER, { recursive: true });
  const ids = await live(adminCalls(owner, sandbox.base), sandbox.base);
  await owner.evaluate((lang) => localStorage.setItem('admin.lang', lang), LANGUAGE);
  await owner.goto(`${process.env['BASE'] ?? sandbox.base}/admin/`);
  for (const view of (await views(owner, ids)).filter((one) => !one.open)) {
    if (!ONLY.some((start) => view.path.startsWith(start))) continue;
    await open(owner, view.path);
    const more = await parts(owner);
    for (const path of [view.path, ...more]) {
      await open(owner, path);
      await shoot(owner, nameOf(path));
    }
  }
});
