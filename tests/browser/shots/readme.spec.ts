// The four pictures of the README, from the real page, into docs/images:
//   DREAM_BFF=../../target/debug/dream-bff npm run shots -- -g "readme"
// They become small where pngquant is installed.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { adminCalls, confirmed, set } from '../support/life';
import { asAdmin, OWNER } from '../support/scene';
import type { Server } from '../support/server';
import { open, settled } from '../support/views';
import { month } from './history';

const FOLDER = process.env['IMAGES'] ?? '../../docs/images';

async function shoot(page: Page, name: string): Promise<void> {
  await settled(page);
  // Charts and drawers move for a moment.
  await page.waitForTimeout(600);
  const path = join(FOLDER, `${name}.png`);
  await page.screenshot({ path });
  try {
    execFileSync('pngquant', ['--force', '--strip', '--ext', '.png', '--quality', '60-95', path]);
  } catch {
    console.log(`${path} stays as large as it is: pngquant is not there, or cannot make it smaller`);
  }
}

test('readme', async ({ browser }) => {
  const as = async <T>(server: Server, work: (page: Page) => Promise<T>): Promise<T> => {
    const page = await asAdmin(browser, server.base, OWNER.username, OWNER.password);
    try {
      return await work(page);
    } finally {
      await page.context().close();
    }
  };
  const { server, refunded } = await month(
    (made, orderId) =>
      as(made, async (page) => {
        const admin = adminCalls(page, made.base);
        await confirmed(admin);
        await admin.send('POST', `/orders/${orderId}/refunds`, { ifPointsSpent: 'refuse', reason: '用户误购，已协商' });
      }),
    (made) => as(made, (page) => set(adminCalls(page, made.base), 'gallery', { holdForReview: true })),
  );
  try {
    await as(server, async (page) => {
      await page.emulateMedia({ reducedMotion: 'reduce', colorScheme: 'light' });
      await page.setViewportSize({ width: 1440, height: 900 });
      await open(page, '/');
      await expect(page.getByText('实时')).toBeVisible();
      await shoot(page, 'admin-home');
      await open(page, `/orders/${refunded}`);
      await shoot(page, 'admin-order');
      await page.emulateMedia({ reducedMotion: 'reduce', colorScheme: 'dark' });
      await open(page, '/review');
      await page.getByRole('button', { name: /^选中/ }).nth(1).click();
      await page.getByRole('button', { name: /^选中/ }).nth(4).click();
      await page.mouse.move(700, 880);
      await shoot(page, 'admin-review');
      await page.emulateMedia({ reducedMotion: 'reduce', colorScheme: 'light' });
      await open(page, '/settings/economy');
      await page.getByLabel('新用户奖励').fill('20');
      await page.getByLabel('成品 2K 单价').fill('3');
      await page.getByRole('button', { name: '查看差异并保存' }).click();
      await expect(page.getByRole('dialog', { name: /确认修改/ })).toBeVisible();
      await shoot(page, 'admin-settings');
    });
  } finally {
    await server.stop();
  }
});
