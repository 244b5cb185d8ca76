// What is sold and what it costs: a change is seen before it is made, and holds at once.
import { Player } from '../support/player';
import { expect, stepUp, test } from '../support/scene';

test('a price is changed after its difference was shown, and is in force', async ({ owner, sandbox }) => {
  const bo = await Player.logIn(sandbox.base, 'bo-of-the-prices');
  const priceNow = async (): Promise<number> => (await bo.get<{ items: { currentPrice: number }[] }>('/v1/points/packs')).items[0]!.currentPrice;
  const before = await priceNow();
  const after = before + 111;
  await owner.goto(`${sandbox.base}/admin/#/plans`);
  const packs = owner.locator('section').filter({ has: owner.getByRole('heading', { name: '积分包', exact: true }) });
  await packs.getByRole('button', { name: /^编辑/ }).first().click();
  const dialog = owner.getByRole('dialog', { name: /编辑积分包/ });
  await expect(dialog).toContainText('已下的订单价格不变');
  await dialog.getByLabel('现价').fill((after / 100).toFixed(2));
  await dialog.getByLabel('划线价').fill(((after + 1000) / 100).toFixed(2));
  await dialog.getByRole('button', { name: '保存' }).click();
  await expect(dialog).toBeHidden();
  await expect(packs.getByText(`¥${(after / 100).toFixed(2)}`)).toBeVisible();
  expect(await priceNow()).toBe(after);
});

test('a setting is reviewed as a difference, saved, and holds for the next user', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/settings/economy`);
  const field = owner.getByLabel('新用户奖励');
  await expect(field).toHaveValue('10');
  await field.fill('ten');
  await expect(owner.getByText('请输入整数')).toBeVisible();
  await expect(owner.getByRole('button', { name: '查看差异并保存' })).toBeDisabled();
  await field.fill('17');
  await expect(owner.getByText('默认：10')).toBeVisible();
  await owner.getByRole('button', { name: '查看差异并保存' }).click();
  const dialog = owner.getByRole('dialog', { name: /确认修改/ });
  await expect(dialog.locator('del')).toHaveText('10');
  await expect(dialog.locator('ins')).toHaveText('17');
  await dialog.getByRole('button', { name: '保存并生效' }).click();
  await expect(owner.getByText('已保存，立即生效')).toBeVisible();
  const cy = await Player.logIn(sandbox.base, 'cy-of-the-bonus');
  expect(await cy.points()).toBe(17);
});

test('a text that is empty is shown empty, and can be emptied again', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/settings/messages`);
  const field = owner.getByLabel('“图片已生成”打开的页面');
  await expect(field).toHaveValue('');
  await field.fill('pages/result');
  await expect(owner.getByText('1 处修改')).toBeVisible();
  await field.fill('');
  await expect(field).toHaveValue('');
  await expect(owner.getByText('没有修改')).toBeVisible();
});

test('a level says whose its settings are, in the form and in the difference', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/settings/entitlements`);
  const vip = owner.getByRole('group', { name: 'VIP', exact: true });
  await vip.getByLabel('排队权重').fill('5');
  await owner.getByRole('button', { name: '查看差异并保存' }).click();
  await expect(owner.getByRole('dialog', { name: /确认修改/ })).toContainText('VIP · 排队权重');
  await owner.keyboard.press('Escape');
});

test('redeem codes are made, copied, redeemed once, and revoked', async ({ owner, sandbox }) => {
  const di = await Player.logIn(sandbox.base, 'di-of-the-codes');
  const before = await di.points();
  await owner.goto(`${sandbox.base}/admin/#/codes`);
  await owner.getByRole('button', { name: '生成兑换码' }).click();
  const dialog = owner.getByRole('dialog', { name: '生成兑换码' });
  await dialog.getByLabel('批次名称').fill('元旦活动');
  await dialog.getByLabel('每个码的积分').fill('30');
  await dialog.getByLabel('数量').fill('3');
  await expect(dialog).toContainText('最多送出 90 积分');
  await dialog.getByRole('button', { name: '生成', exact: true }).click();
  const made = owner.locator('.once pre');
  await stepUp(owner, made);
  const codes = ((await made.textContent()) ?? '').trim().split('\n');
  expect(codes).toHaveLength(3);

  await di.post('/v1/points/redeem', { code: codes[0] });
  expect(await di.points()).toBe(before + 30);
  await expect(di.post('/v1/points/redeem', { code: codes[0] })).rejects.toThrow();
  await owner.getByRole('button', { name: '刷新' }).click();
  await expect(owner.getByRole('row').filter({ hasText: '元旦活动' })).toContainText('1 / 3');

  await owner.getByRole('row').filter({ hasText: '元旦活动' }).getByRole('button', { name: '作废' }).click();
  const revoke = owner.getByRole('dialog', { name: /作废批次/ });
  await revoke.getByLabel('原因').fill('活动取消');
  await revoke.getByRole('button', { name: '作废' }).click();
  await expect(owner.getByRole('row').filter({ hasText: '元旦活动' })).toContainText('已作废');
  await expect(di.post('/v1/points/redeem', { code: codes[1] })).rejects.toThrow();
});
