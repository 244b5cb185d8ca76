// Finding anything by any of its names, and reading what happened to it.
import type { Page } from '@playwright/test';
import { Player } from '../support/player';
import { expect, test } from '../support/scene';

/** Hits, or what happened. */
const entries = (page: Page) => page.getByRole('main').getByRole('listitem');

/** Searches from wherever the page is, by the key. */
async function find(page: Page, text: string): Promise<void> {
  const field = page.getByRole('textbox', { name: '查找任何东西' });
  await page.getByRole('main').click({ position: { x: 1, y: 1 } });
  await page.keyboard.press('/');
  await expect(field).toBeFocused();
  await field.fill(text);
  await field.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: `查找：${text}` })).toBeVisible();
}

test('an order is found by its number, its request and WeChat’s transaction, and its timeline tells all', async ({ owner, sandbox }) => {
  const ann = await Player.logIn(sandbox.base, 'ann-of-the-search');
  const { orderId, requestId } = await ann.buy();
  const known = await owner.request.get(`${sandbox.base}/admin/api/orders/${orderId}`);
  const { order } = (await known.json()) as { order: { transactionId: string } };

  for (const [text, by] of [
    [orderId, '订单号'],
    [requestId, '请求号'],
    [order.transactionId, '微信支付单号'],
  ] as const) {
    await find(owner, text);
    const hit = entries(owner).filter({ hasText: `匹配：${by}` });
    await expect(hit).toContainText(orderId);
    await hit.getByRole('link', { name: '时间线' }).click();
    await expect(owner.getByRole('heading', { level: 1, name: `订单 ${orderId} 的时间线` })).toBeVisible();
    for (const kind of ['下单', '付款', '支付通知', '积分']) {
      await expect(entries(owner).filter({ hasText: kind }).first()).toBeVisible();
    }
  }

  // What WeChat said is there to be read, without whom it names.
  await entries(owner).filter({ hasText: '支付通知' }).first().locator('summary').click();
  const told = entries(owner).filter({ hasText: '支付通知' }).first().locator('pre');
  await expect(told).toContainText(orderId);
  await expect(told).not.toContainText('ann-of-the-search');
});

test('a job is found by its number, with each attempt at an image API', async ({ owner, sandbox }) => {
  await find(owner, 'nothing-is-called-so');
  await expect(owner.getByText('没有找到')).toBeVisible();
  const ben = await Player.logIn(sandbox.base, 'ben-of-the-search');
  const jobId = await ben.makePicture('一只狐狸');
  await find(owner, jobId);
  const hit = entries(owner).filter({ hasText: '匹配：任务号' });
  await hit.getByRole('link', { name: '时间线' }).click();
  await expect(owner.getByRole('heading', { level: 1, name: `任务 ${jobId} 的时间线` })).toBeVisible();
  for (const kind of ['提交任务', '第 1 次尝试', '任务结束']) {
    await expect(entries(owner).filter({ hasText: kind }).first()).toBeVisible();
  }
  await owner.goto(`${sandbox.base}/admin/#/jobs/${jobId}`);
  const attempts = owner.getByRole('table', { name: '每次尝试' });
  await expect(attempts.getByRole('row')).toHaveCount(2);
  await expect(attempts.getByRole('cell', { name: /成功/ })).toBeVisible();
});
