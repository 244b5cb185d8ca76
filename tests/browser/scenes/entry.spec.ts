// The way in: the first administrator by the printed link, wrong passwords, the second factor.
import { expect, logIn, OWNER, stepUp, test, watch } from '../support/scene';
import { Server } from '../support/server';
import { totp } from '../support/totp';

const PASSWORD = 'a-long-and-quiet-river';

test('the first administrator comes by the printed link, which works once', async ({ page, browser }) => {
  const server = await Server.start('fresh');
  try {
    const wrong = watch(page, server.base);
    const link = server.setupLink();
    await page.goto(link);
    await expect(page.getByRole('heading', { name: '创建第一个管理员' })).toBeVisible();
    await page.getByLabel('用户名').fill('boss');
    await page.getByLabel('密码（至少 12 个字符）').fill('short');
    await page.getByLabel('再输入一次').fill('short');
    await page.getByRole('button', { name: '创建并登录' }).click();
    await expect(page.getByRole('alert')).toContainText('至少 12 个字符');
    await page.getByLabel('密码（至少 12 个字符）').fill(PASSWORD);
    await page.getByLabel('再输入一次').fill(PASSWORD);
    await page.getByRole('button', { name: '创建并登录' }).click();
    await expect(page.getByRole('heading', { name: '账号与安全' })).toBeVisible();
    await expect(page.getByText('所有者').first()).toBeVisible();

    const second = await (await browser.newContext({ locale: 'zh-CN' })).newPage();
    await second.goto(link);
    await second.getByLabel('用户名').fill('thief');
    await second.getByLabel('密码（至少 12 个字符）').fill(PASSWORD);
    await second.getByLabel('再输入一次').fill(PASSWORD);
    await second.getByRole('button', { name: '创建并登录' }).click();
    await expect(second.getByRole('alert')).toBeVisible();
    await second.context().close();
    expect(wrong).toEqual([]);
  } finally {
    await server.stop();
  }
});

test('a wrong password is refused, and the page asked for is shown after the right one', async ({ visitor, sandbox }) => {
  await visitor.goto(`${sandbox.base}/admin/#/account`);
  await expect(visitor.getByRole('heading', { name: '登录管理后台' })).toBeVisible();
  await visitor.locator('input[name=username]').fill(OWNER.username);
  await visitor.locator('input[name=password]').fill('not-the-password');
  await visitor.getByRole('button', { name: '登录' }).click();
  await expect(visitor.getByRole('alert')).toBeVisible();
  await visitor.locator('input[name=password]').fill(OWNER.password);
  await visitor.getByRole('button', { name: '登录' }).click();
  await expect(visitor.getByRole('heading', { name: '账号与安全' })).toBeVisible();
  await visitor.getByRole('button', { name: '我的账号' }).click();
  await visitor.getByRole('menuitem', { name: '退出登录' }).click();
  await expect(visitor.getByRole('heading', { name: '登录管理后台' })).toBeVisible();
  const refused = await visitor.request.get(`${sandbox.base}/admin/api/session`);
  expect(refused.status()).toBe(401);
});

test('a second factor is set up, asked for, and replaced by a recovery code', async ({ page, browser }) => {
  const server = await Server.start('sandbox');
  try {
    const wrong = watch(page, server.base);
    await logIn(page, server.base, OWNER.username, OWNER.password);
    await expect(page.getByRole('navigation', { name: '主菜单' })).toBeVisible();
    await page.goto(`${server.base}/admin/#/account`);
    await page.getByRole('button', { name: '开启两步验证' }).click();
    await stepUp(page, page.getByRole('img', { name: '两步验证的二维码' }));
    const secret = await page.locator('.totp .mono').textContent();
    await page.locator('input[name=totp]').fill(totp(secret ?? ''));
    await page.getByRole('button', { name: '确认开启' }).click();
    await expect(page.getByText('只显示这一次')).toBeVisible();
    const codes = ((await page.locator('.once pre').textContent()) ?? '').trim().split('\n');
    expect(codes).toHaveLength(10);

    const other = await (await browser.newContext({ locale: 'zh-CN' })).newPage();
    await logIn(other, server.base, OWNER.username, OWNER.password);
    await other.locator('input[name=code]').fill('000000');
    await other.getByRole('button', { name: '登录' }).click();
    await expect(other.getByRole('alert')).toBeVisible();
    // The code of the next half minute: the one of now was used to confirm.
    await other.locator('input[name=code]').fill(totp(secret ?? '', Date.now(), 1));
    await other.getByRole('button', { name: '登录' }).click();
    await expect(other.getByRole('navigation', { name: '主菜单' })).toBeVisible();
    await other.context().close();

    const third = await (await browser.newContext({ locale: 'zh-CN' })).newPage();
    await logIn(third, server.base, OWNER.username, OWNER.password);
    await third.locator('input[name=code]').fill(codes[0] ?? '');
    await third.getByRole('button', { name: '登录' }).click();
    await expect(third.getByRole('navigation', { name: '主菜单' })).toBeVisible();
    await third.goto(`${server.base}/admin/#/account`);
    await expect(third.getByText('剩余恢复码 9 个')).toBeVisible();
    await third.context().close();
    expect(wrong).toEqual([]);
  } finally {
    await server.stop();
  }
});
