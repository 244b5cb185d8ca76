// The log as it is written: followed, filtered, and taken up again after the server was away.
import { expect, logIn, OWNER, test, watch } from '../support/scene';
import { Server } from '../support/server';

test('the log is followed, filtered, and taken up again when the server comes back', async ({ page }) => {
  const server = await Server.start('sandbox');
  try {
    const wrong = watch(page, server.base);
    /** A request of this number, which its line in the log has. */
    const request = (id: string) => page.request.get(`${server.base}/v1/gallery/categories`, { headers: { 'x-request-id': id } });
    const log = page.getByRole('list', { name: '日志' });
    const live = page.getByText('实时', { exact: true });

    await logIn(page, server.base, OWNER.username, OWNER.password);
    await expect(page.getByRole('navigation', { name: '主菜单' })).toBeVisible();
    await page.goto(`${server.base}/admin/#/system/log`);
    await expect(live).toBeVisible();
    await request('scene-first-1');
    await expect(log.getByText('scene-first-1')).toBeVisible();

    await page.getByRole('textbox', { name: '包含文字（例如请求号）' }).fill('scene-kept');
    await expect(log.getByText('没有符合条件的日志')).toBeVisible();
    await expect(live).toBeVisible();
    await request('scene-other-1');
    await request('scene-kept-1');
    await expect(log.getByText('scene-kept-1')).toBeVisible();
    await expect(log.getByText('scene-other-1')).toHaveCount(0);
    await expect(log.getByText('scene-first-1')).toHaveCount(0);

    // The new process counts its lines from 1 again, and what the old one wrote is gone with it.
    await server.restart();
    await expect(log.getByText('scene-kept-1')).toHaveCount(0, { timeout: 30_000 });
    await expect(live).toBeVisible();
    await request('scene-kept-2');
    await expect(log.getByText('scene-kept-2')).toBeVisible();

    // Not followed, it stands still.
    await page.locator('label', { hasText: '跟随最新' }).locator('.el-switch__core').click();
    await expect(live).toHaveCount(0);
    await request('scene-kept-3');
    await request('scene-kept-4');
    await expect(log.getByText('scene-kept-3')).toHaveCount(0);
    await page.locator('label', { hasText: '跟随最新' }).locator('.el-switch__core').click();
    await expect(log.getByText('scene-kept-4')).toBeVisible();
    expect(wrong).toEqual([]);
  } finally {
    await server.stop();
  }
});
