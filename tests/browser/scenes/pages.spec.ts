// Every page, as the router knows them: that it loads with data, says nothing on the console, asks nobody else, fits a
// phone, and has no serious finding of axe, light and dark.
import axe from 'axe-core';
import type { Page } from '@playwright/test';
import { adminCalls, live } from '../support/life';
import { expect, test } from '../support/scene';
import { open, parts, settled, views } from '../support/views';

/** What shows that the data of a page has come. A page that is not named here is held to all the rest. */
const SHOWS: Record<string, string | RegExp> = {
  '/': '净收入',
  '/users': /体验积分|VIP|普通/,
  '/orders': '已支付',
  '/refunds': '用户误购',
  '/payment-events': '待处理',
  '/reconciliation': '待处理',
  '/reconciliation/days': '30 天',
  '/report': '净收入',
  '/books': '资金',
  '/plans': '积分包',
  '/settings': '没有修改',
  '/settings/economy': '新用户奖励',
  '/codes': '春节活动',
  '/jobs': '成功',
  '/upstreams': '进行中 / 上限',
  '/review': '满月',
  '/words': '试一试',
  '/templates': '用过',
  '/categories': '张公开作品',
  '/announcement': '没有修改',
  '/search?q=1': '匹配',
  '/system': 'SQLite',
  '/system/doctor': '逐项检查',
  '/system/backups': '最近的好备份',
  '/system/log': '跟随最新',
  '/admins': 'admin',
  '/audit': 'order.paid',
  '/account': '本机',
  '/nowhere': '回到首页',
};

const DESK = { width: 1440, height: 900 };
const PHONE = { width: 375, height: 812 };
/** In this order, so that each step changes one thing. */
const LOOKS = [['light', DESK], ['light', PHONE], ['dark', PHONE], ['dark', DESK]] as const;

/** The rules of WCAG 2.1 A and AA; run over the inspector, so that the content policy stays in force. What is dark has the
    same structure as what is light: only its colours are looked at. */
async function findings(page: Page, theme: 'light' | 'dark'): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  return page.evaluate(async (onlyColours) => {
    const { axe: inside } = window as unknown as { axe: typeof import('axe-core') };
    const result = await inside.run(document, { runOnly: onlyColours ? ['color-contrast'] : ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations'] });
    return result.violations
      .filter((one) => one.impact === 'serious' || one.impact === 'critical')
      .flatMap((one) => one.nodes.slice(0, 3).map((node) => `${one.id}: ${node.html} ${node.failureSummary ?? ''}`));
  }, theme === 'dark');
}

/** What does not depend on colours and widths. */
async function shortcomings(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wrong: string[] = [];
    const titles = document.querySelectorAll('h1').length;
    if (titles !== 1) wrong.push(`${titles} titles of the first rank`);
    if (!/ · dream-bff$/.test(document.title)) wrong.push(`the title of the window is "${document.title}"`);
    for (const failure of document.querySelectorAll('.failure')) wrong.push(`did not load: ${failure.textContent}`);
    for (const image of document.images) if (image.complete && image.naturalWidth === 0) wrong.push(`a broken picture: ${image.src}`);
    return wrong;
  });
}

/** Looks at what is shown, in both themes and at both widths; what is wrong with it. */
async function look(page: Page): Promise<string[]> {
  const wrong = await shortcomings(page);
  for (const [theme, size] of LOOKS) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.setViewportSize(size);
    await settled(page);
    const at = `${theme}, ${size.width} px: `;
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (excess > 0) wrong.push(`${at}${excess} px wider than the screen`);
    wrong.push(...(await findings(page, theme)).map((one) => at + one));
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(DESK);
  return wrong;
}

test('every page loads, fits and can be used by everybody', async ({ owner, sandbox, visitor }) => {
  // About a minute alone; much more beside compilers.
  test.setTimeout(600_000);
  const ids = await live(adminCalls(owner, sandbox.base), sandbox.base);
  const wrong: string[] = [];
  const seen = new Set<string>();
  const visit = async (page: Page, path: string): Promise<void> => {
    seen.add(path);
    await open(page, path);
    const shows = SHOWS[path];
    if (shows) await expect(page.getByRole('main').getByText(shows).first(), path).toBeVisible();
    wrong.push(...(await look(page)).map((one) => `${path}: ${one}`));
  };
  const all = await views(owner, ids);
  for (const { path } of all.filter((view) => !view.open)) {
    await test.step(path, async () => {
      await visit(owner, path);
      for (const part of await parts(owner)) if (!seen.has(part)) await visit(owner, part);
    });
  }
  for (const link of await owner.getByRole('navigation', { name: '主菜单' }).getByRole('link').all()) {
    expect([...seen]).toContain(((await link.getAttribute('href')) ?? '').replace(/^.*#/, ''));
  }
  await visitor.goto(`${sandbox.base}/admin`);
  for (const { path } of all.filter((view) => view.open)) await test.step(path, () => visit(visitor, path));
  expect(wrong).toEqual([]);
});

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
