// Pictures that wait: approved and rejected from the keyboard, and seen by everybody or by nobody.
import { Player } from '../support/player';
import { expect, test } from '../support/scene';

test('pictures are approved and rejected from the keyboard', async ({ owner, sandbox }) => {
  // Everything waits for a reviewer from now on.
  await owner.goto(`${sandbox.base}/admin/#/settings/gallery`);
  const hold = owner.getByRole('switch', { name: '所有图片先审后发' });
  if (!(await hold.isChecked())) {
    await hold.press('Space');
    await owner.getByRole('button', { name: '查看差异并保存' }).click();
    await owner.getByRole('dialog', { name: /确认修改/ }).getByRole('button', { name: '保存并生效' }).click();
    await expect(owner.getByText('已保存，立即生效')).toBeVisible();
  }
  const eve = await Player.logIn(sandbox.base, 'eve-of-the-pictures');
  const good = await eve.publish('一只在窗台上睡觉的橘猫');
  const bad = await eve.publish('一张满是电话号码的海报');

  await owner.goto(`${sandbox.base}/admin/#/review`);
  const first = owner.getByRole('listitem').filter({ hasText: '橘猫' });
  const second = owner.getByRole('listitem').filter({ hasText: '电话号码' });
  await expect(first).toBeVisible();
  await first.focus();
  await owner.keyboard.press('a');
  await expect(owner.getByText('已通过 1 张')).toBeVisible();
  await expect(first).toBeHidden();
  // The keys hold wherever the focus is: here on the picture that was clicked.
  await second.getByRole('button', { name: /^选中/ }).click();
  await owner.keyboard.press('d');
  const dialog = owner.getByRole('dialog', { name: /拒绝 1 张/ });
  await dialog.getByLabel('原因').selectOption('广告或联系方式');
  await dialog.getByRole('button', { name: '拒绝' }).click();
  await expect(second).toBeHidden();

  const mine = await eve.get<{ items: { id: string; status: string; statusReason?: string }[] }>('/v1/gallery/mine');
  expect(mine.items.find((one) => one.id === good)?.status).toBe('APPROVED');
  expect(mine.items.find((one) => one.id === bad)).toMatchObject({ status: 'REJECTED', statusReason: '广告或联系方式' });
});
