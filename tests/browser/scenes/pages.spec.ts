// Every page: that it loads with data, says nothing on the console, asks nobody else, fits a phone, and
// has no serious finding of axe, light and dark.
import axe from 'axe-core';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/scene';

interface Finding {
  id: string;
  impact: string | null | undefined;
  nodes: string[];
}

/** The pages with what shows that their data has come. */
const PAGES: { path: string; shows: (page: Page) => Promise<void> }[] = [
  { path: '/', shows: (page) => expect(page.getByText('净收入').first()).toBeVisible() },
  { path: '/admins', shows: (page) => expect(page.getByRole('cell', { name: /admin/ }).first()).toBeVisible() },
  { path: '/audit', shows: (page) => expect(page.getByRole('row').nth(1)).toBeVisible() },
  { path: '/account', shows: (page) => expect(page.getByText('本机')).toBeVisible() },
  { path: '/nowhere', shows: (page) => expect(page.getByText('回到首页')).toBeVisible() },
];

/** The rules of WCAG 2.1 A and AA; run over the inspector, so that the content policy stays in force. */
async function findings(page: Page): Promise<Finding[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: inside } = window as unknown as { axe: typeof import('axe-core') };
    const result = await inside.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    return result.violations
      .filter((one) => one.impact === 'serious' || one.impact === 'critical')
      .map((one) => ({ id: one.id, impact: one.impact, nodes: one.nodes.map((node) => `${node.html} ${node.failureSummary ?? ''}`).slice(0, 4) }));
  });
}

async function setTheme(page: Page, theme: 'light' | 'dark'): Promise<void> {
  await page.evaluate((value) => localStorage.setItem('admin.theme', value), theme);
  await page.reload();
}

for (const { path, shows } of PAGES) {
  test(`${path} loads, fits and can be used by everybody`, async ({ owner, sandbox }) => {
    for (const theme of ['light', 'dark'] as const) {
      await setTheme(owner, theme);
      await owner.setViewportSize({ width: 1440, height: 900 });
      await owner.goto(`${sandbox.base}/admin/#${path}`);
      await shows(owner);
      await expect(owner.getByRole('heading', { level: 1 })).toBeVisible();
      expect(await findings(owner), `${path}, ${theme}`).toEqual([]);
      await owner.setViewportSize({ width: 375, height: 812 });
      await shows(owner);
      const excess = await owner.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(excess, `${path} is wider than a phone`).toBeLessThanOrEqual(0);
      expect(await findings(owner), `${path}, ${theme}, on a phone`).toEqual([]);
    }
  });
}

test('the page speaks English too, and remembers it', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/account`);
  await owner.getByRole('button', { name: 'Switch to English' }).click();
  await expect(owner.getByRole('heading', { name: 'Account and security' })).toBeVisible();
  await expect(owner.locator('html')).toHaveAttribute('lang', 'en');
  await owner.reload();
  await expect(owner.getByRole('heading', { name: 'Account and security' })).toBeVisible();
});

test('the content policy forbids what the page does not need', async ({ page, sandbox }) => {
  const answer = await page.goto(`${sandbox.base}/admin`);
  const policy = answer?.headers()['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toContain('unsafe-eval');
  expect(policy).not.toMatch(/script-src[^;]*unsafe-inline/);
  // And the browser holds it: a script that is written into the page does not run.
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.wasRun = true';
    document.head.append(script);
    return 'wasRun' in window;
  });
  expect(ran).toBe(false);
});
