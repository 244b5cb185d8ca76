// Without a mouse, and on a phone: the keys that are promised, where the focus is, and dialogs that fit.
import type { Page } from '@playwright/test';
import { adminCalls } from '../support/life';
import { Player } from '../support/player';
import { expect, test } from '../support/scene';
import { open, settled } from '../support/views';

/** Whether what has the focus is drawn so that one sees it. */
function focusIsSeen(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const at = document.activeElement;
    if (!at || at === document.body) return false;
    // A field of Element Plus is drawn by the box around it.
    const drawn = [at, at.closest('.el-input__wrapper'), at.closest('.el-select__wrapper')].filter((one) => one !== null);
    return drawn.some((one) => {
      const style = getComputedStyle(one);
      return (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none';
    });
  });
}

test('the first key leads past the menu, and every stop on the way is seen', async ({ owner }) => {
  await open(owner, '/users');
  await owner.reload();
  await settled(owner);
  await owner.keyboard.press('Tab');
  const skip = owner.getByRole('link', { name: '跳到内容' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  for (let n = 0; n < 30; n += 1) {
    expect(await focusIsSeen(owner), `stop ${n}`).toBe(true);
    await owner.keyboard.press('Tab');
  }
  await skip.focus();
  await owner.keyboard.press('Enter');
  await expect(owner.getByRole('main')).toBeFocused();
  await owner.keyboard.press('Tab');
  expect(await owner.evaluate(() => document.querySelector('main')?.contains(document.activeElement))).toBe(true);
});

test('the slash begins a search, and writes a slash where somebody types', async ({ owner }) => {
  await open(owner, '/orders');
  await owner.keyboard.press('/');
  const search = owner.getByRole('textbox', { name: '查找任何东西' });
  await expect(search).toBeFocused();
  await owner.keyboard.type('a/b');
  await expect(search).toHaveValue('a/b');
  await owner.keyboard.press('Enter');
  await expect(owner).toHaveURL(/search\?q=a\/b|search\?q=a%2Fb/);
});

test('Escape closes the details and leads back to the row', async ({ owner, sandbox }) => {
  const kim = await Player.logIn(sandbox.base, 'kim-of-the-keys');
  const orderId = await kim.buyPoints();
  await open(owner, `/orders?search=${orderId}`);
  const row = owner.getByRole('button', { name: orderId, exact: true });
  await row.focus();
  await owner.keyboard.press('Enter');
  const drawer = owner.getByRole('dialog', { name: `订单 ${orderId}` });
  await expect(drawer).toBeVisible();
  await expect.poll(() => drawer.evaluate((box) => box.contains(document.activeElement))).toBe(true);
  await owner.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(owner).toHaveURL(new RegExp(`/orders\\?search=${orderId}`));
  await expect(row).toBeFocused();
});

test('a soft action can be undone', async ({ owner, sandbox }) => {
  const word = 'zxq-of-the-list';
  await adminCalls(owner, sandbox.base).send('POST', '/words/add', { words: [word] });
  await open(owner, '/words');
  const row = owner.getByRole('row').filter({ hasText: word });
  await row.getByRole('button', { name: '删除' }).click();
  await expect(row).toBeHidden();
  await owner.getByRole('button', { name: '撤销' }).click();
  await expect(row).toBeVisible();
});

test('an order that was changed can be had back', async ({ owner }) => {
  await open(owner, '/categories');
  const names = owner.getByRole('main').getByRole('listitem').locator('strong');
  const before = await names.allTextContents();
  await owner.getByRole('button', { name: `下移 ${before[0]}` }).click();
  await expect(names).toHaveText([before[1]!, before[0]!, ...before.slice(2)]);
  await owner.getByRole('button', { name: '撤销' }).click();
  await expect(names).toHaveText(before);
});

test('questions fit a phone, and can be reached to their end', async ({ owner }) => {
  await owner.setViewportSize({ width: 375, height: 667 });
  for (const [path, button] of [['/plans', '新建套餐'], ['/codes', '生成兑换码'], ['/words', '整表替换…'], ['/templates', '新建模板']] as const) {
    await open(owner, path);
    await owner.getByRole('button', { name: button }).click();
    const dialog = owner.getByRole('dialog').filter({ visible: true });
    const box = await dialog.boundingBox();
    expect(box?.x ?? -1, path).toBeGreaterThanOrEqual(0);
    expect((box?.x ?? 0) + (box?.width ?? 0), path).toBeLessThanOrEqual(375);
    const last = dialog.getByRole('button').last();
    await last.scrollIntoViewIfNeeded();
    await expect(last, path).toBeInViewport();
    await owner.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
  }
});
