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
const row = (page: Page) => expect(page.getByRole('row').nth(1)).toBeVisible();
const text = (words: string) => (page: Page) => expect(page.getByRole('main').getByText(words).first()).toBeVisible();
const PAGES: { path: string; shows: (page: Page) => Promise<void> }[] = [
  { path: '/', shows: text('净收入') },
  { path: '/users', shows: (page) => expect(page.getByRole('row').nth(5)).toBeVisible() },
  { path: '/users/1', shows: text('积分余额') },
  { path: '/users/1/points', shows: row },
  { path: '/orders', shows: text('支付状态以微信为准') },
  { path: '/refunds', shows: text('有问题的退款') },
  { path: '/payment-events', shows: text('待处理') },
  { path: '/reconciliation', shows: text('待处理') },
  { path: '/reconciliation/days', shows: text('30 天') },
  { path: '/report', shows: text('净收入') },
  { path: '/books', shows: text('资金') },
  { path: '/plans', shows: text('积分包') },
  { path: '/settings/economy', shows: text('新用户奖励') },
  { path: '/settings/entitlements', shows: text('没有修改') },
  { path: '/settings/alerts', shows: text('没有修改') },
  { path: '/codes', shows: text('每个码只能用一次') },
  { path: '/jobs', shows: text('失败或取消的任务') },
  { path: '/upstreams', shows: text('进行中 / 上限') },
  { path: '/review', shows: text('待审核') },
  { path: '/words', shows: text('试一试') },
  { path: '/templates', shows: (page) => expect(page.getByRole('listitem').filter({ hasText: '用过' }).first()).toBeVisible() },
  { path: '/categories', shows: text('张公开作品') },
  { path: '/announcement', shows: text('没有修改') },
  { path: '/search?q=1', shows: text('匹配') },
  { path: '/timeline?user=1', shows: text('积分') },
  { path: '/system', shows: text('SQLite') },
  { path: '/system/doctor', shows: text('逐项检查') },
  { path: '/system/backups', shows: text('最近的好备份') },
  { path: '/system/alerts', shows: row },
  { path: '/system/limits', shows: row },
  { path: '/system/tasks', shows: row },
  { path: '/system/log', shows: text('跟随最新') },
  { path: '/admins', shows: (page) => expect(page.getByRole('cell', { name: /admin/ }).first()).toBeVisible() },
  { path: '/audit', shows: row },
  { path: '/account', shows: text('本机') },
  { path: '/nowhere', shows: text('回到首页') },
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

test('a filter stands in the address, and "back" brings it back', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/users?search=1`);
  await expect(owner.getByRole('textbox', { name: '昵称开头、编号或 openid' })).toHaveValue('1');
  await owner.getByRole('textbox', { name: '昵称开头、编号或 openid' }).fill('2');
  await expect(owner).toHaveURL(/search=2/);
  await owner.getByRole('link', { name: '管理员', exact: true }).click();
  await expect(owner.getByRole('heading', { level: 1, name: '管理员' })).toBeVisible();
  await owner.goBack();
  await expect(owner.getByRole('textbox', { name: '昵称开头、编号或 openid' })).toHaveValue('2');
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
