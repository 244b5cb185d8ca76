// Orders: asked about, refunded.
import { Player } from '../support/player';
import { expect, stepUp, test } from '../support/scene';

test('an order is refunded, and its money and points go back', async ({ owner, sandbox }) => {
  const ann = await Player.logIn(sandbox.base, 'ann-of-the-refund');
  const before = await ann.points();
  const orderId = await ann.buyPoints();
  const bought = (await ann.points()) - before;
  expect(bought).toBeGreaterThan(0);

  await owner.goto(`${sandbox.base}/admin/#/orders`);
  await owner.getByRole('textbox', { name: '订单号或微信支付单号' }).fill(orderId);
  const row = owner.getByRole('table', { name: '订单列表' }).getByRole('row').filter({ hasText: orderId });
  await expect(row.getByRole('link', { name: 'ann-of-the-refund' })).toBeVisible();
  await owner.getByRole('button', { name: orderId }).click();
  const drawer = owner.getByRole('dialog', { name: `订单 ${orderId}` });
  await expect(drawer.getByText('已支付').first()).toBeVisible();
  await drawer.getByRole('button', { name: '现在问微信' }).click();
  await expect(owner.getByRole('status').filter({ hasText: '微信说：已支付' })).toBeVisible();

  await drawer.getByRole('button', { name: '退款…' }).click();
  const dialog = owner.getByRole('dialog', { name: '退款', exact: true });
  await expect(dialog).toContainText('没用掉的值');
  await expect(dialog).toContainText('不能撤回');
  await dialog.getByLabel('原因').fill('用户误购');
  await dialog.getByRole('button', { name: '退款', exact: true }).click();
  await stepUp(owner, owner.getByText('退款已提交微信'));
  await expect(dialog).toBeHidden();

  await expect(async () => {
    await owner.reload();
    await expect(owner.getByRole('dialog').getByText('已退款').first()).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
  expect(await ann.points()).toBe(before);
});
