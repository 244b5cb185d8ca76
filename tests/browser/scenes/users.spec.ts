// Users: found, looked at, given points, banned.
import { Player } from '../support/player';
import { expect, stepUp, test } from '../support/scene';

test('points are granted with a reason, and the user has them', async ({ owner, sandbox }) => {
  const mei = await Player.logIn(sandbox.base, 'mei-of-the-points');
  const before = await mei.points();
  await owner.goto(`${sandbox.base}/admin/#/users`);
  await owner.getByRole('textbox', { name: '昵称开头、编号或 openid' }).fill(String(mei.id));
  await owner.getByRole('link', { name: mei.name }).first().click();
  await expect(owner.getByRole('heading', { level: 1 })).toContainText(mei.name);
  await owner.getByRole('button', { name: '增减积分' }).click();
  const dialog = owner.getByRole('dialog', { name: /增减积分/ });
  await dialog.getByLabel('数量（扣除请写负数）').fill('25');
  await expect(dialog).toContainText(`余额 ${before} → ${before + 25} 分`);
  await dialog.getByRole('button', { name: '记账' }).click();
  await expect(dialog).toContainText('请填写');
  await dialog.getByLabel('原因').fill('补偿昨晚的故障');
  await dialog.getByRole('button', { name: '记账' }).click();
  await stepUp(owner, owner.getByText('已记账'));
  await expect(dialog).toBeHidden();
  expect(await mei.points()).toBe(before + 25);
  await owner.getByRole('tab', { name: '积分流水' }).click();
  await expect(owner.getByRole('row').filter({ hasText: '+25' })).toBeVisible();
});

test('a banned user is out at once, and in again when the ban is lifted', async ({ owner, sandbox }) => {
  const lee = await Player.logIn(sandbox.base, 'lee-of-the-ban');
  await owner.goto(`${sandbox.base}/admin/#/users/${lee.id}`);
  await owner.getByRole('button', { name: '更多' }).click();
  await owner.getByRole('menuitem', { name: '封禁' }).click();
  const dialog = owner.getByRole('dialog', { name: /封禁/ });
  await expect(dialog).toContainText('他立即被登出');
  await dialog.getByLabel('原因').fill('刷单');
  await dialog.getByRole('button', { name: '封禁' }).click();
  await expect(owner.getByText('已封禁').first()).toBeVisible();
  await expect(lee.points()).rejects.toThrow(/USER_BANNED|TOKEN_REVOKED/);
  await owner.getByRole('button', { name: '更多' }).click();
  await owner.getByRole('menuitem', { name: '解除封禁' }).click();
  const lift = owner.getByRole('dialog', { name: /解除封禁/ });
  await lift.getByLabel('原因').fill('误会');
  await lift.getByRole('button', { name: '解除' }).click();
  await expect(owner.getByText('正常').first()).toBeVisible();
  await Player.logIn(sandbox.base, 'lee-of-the-ban');
});
