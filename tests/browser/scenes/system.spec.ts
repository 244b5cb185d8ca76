// What keeps the service safe: backups that are made, tried and taken away, doctor, alerts that arrive, rate
// limits that hold at once, and days that were compared with their bill.
import { readFile } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import { Player } from '../support/player';
import { expect, OWNER, stepUp, test } from '../support/scene';

/** What a zstd file begins with. */
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

test('a backup is made, tried, and taken away after what that means was read', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/system/backups`);
  await expect(owner.getByText('还没有备份')).toBeVisible();
  await expect(owner.getByRole('button', { name: '现在演练恢复' })).toBeDisabled();
  await owner.getByRole('button', { name: '现在备份' }).click();
  const kept = owner.getByRole('table', { name: '本机备份' });
  await expect(kept.getByText('完整，账目平')).toBeVisible({ timeout: 60_000 });
  await owner.getByRole('button', { name: '现在演练恢复' }).click();
  const runs = owner.getByRole('table', { name: '最近的备份与演练' });
  await expect(runs.getByText('恢复演练')).toBeVisible({ timeout: 60_000 });
  await expect(runs.getByText('正常')).toHaveCount(2);

  await kept.getByRole('button', { name: /^下载/ }).click();
  const dialog = owner.getByRole('dialog', { name: /下载 .* 的备份/ });
  await expect(dialog).toContainText('谁拿到文件，谁就能读到这些');
  const downloading = owner.waitForEvent('download');
  await dialog.getByRole('button', { name: /^下载 / }).click();
  await stepUp(owner, owner.getByText('下载已开始'), OWNER.password);
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^\w+-\d{8}T\d+Z\.db\.zst$/);
  const file = await readFile(await download.path());
  expect(file.subarray(0, 4)).toEqual(ZSTD);
  await owner.goto(`${sandbox.base}/admin/#/audit?action=backup.downloaded`);
  await expect(owner.getByRole('table', { name: '操作记录' }).getByRole('row')).toHaveCount(2);
});

test('doctor says what is not well and what to do about it', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/system/doctor`);
  await expect(owner.getByText('启动以来还没有检查过')).toBeVisible();
  await owner.getByRole('button', { name: '现在检查' }).click();
  const finding = owner.getByRole('main').getByRole('listitem').filter({ hasText: 'HTTPS 证书' });
  await expect(finding).toBeVisible({ timeout: 60_000 });
  await expect(finding).toContainText('怎么办：');
  await expect(owner.getByText(/\d+ 项失败，\d+ 项注意，\d+ 项正常/)).toBeVisible();
});

/** Somebody who takes every message, and how many came. */
async function robot(): Promise<{ url: string; got: string[]; server: HttpServer }> {
  const got: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      got.push(body);
      response.end('{"errcode":0}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got, server };
}

async function save(page: Page): Promise<void> {
  await page.getByRole('button', { name: '查看差异并保存' }).click();
  await page.getByRole('dialog', { name: /确认修改/ }).getByRole('button', { name: '保存并生效' }).click();
  await expect(page.getByText('已保存，立即生效').last()).toBeVisible();
}

test('a channel for alerts is set, tested, and says what it answered', async ({ owner, sandbox }) => {
  const { url, got, server } = await robot();
  await owner.goto(`${sandbox.base}/admin/#/system/alerts`);
  await expect(owner.getByText('没有启用任何渠道')).toBeVisible();
  await expect(owner.getByRole('button', { name: '发送测试消息' })).toBeDisabled();
  await owner.getByRole('link', { name: '设置渠道与阈值' }).click();
  await owner.getByRole('switch', { name: '通用 Webhook · 启用' }).press('Space');
  await owner.getByLabel('通用 Webhook · 地址').fill(url);
  await save(owner);
  await expect(owner.getByLabel('通用 Webhook · 地址')).toHaveValue('***');
  await owner.goto(`${sandbox.base}/admin/#/system/alerts`);
  await owner.getByRole('button', { name: '发送测试消息' }).click();
  await expect(owner.getByText('测试消息已送达')).toBeVisible();
  expect(got).toHaveLength(1);
  expect(JSON.parse(got[0]!)).toMatchObject({ event: 'test', rule: 'test' });
  await new Promise((done) => server.close(done));
  await owner.getByRole('button', { name: '发送测试消息' }).click();
  await expect(owner.getByText(/没有送达：/)).toBeVisible();
});

test('a rate limit that is changed holds at once and is taken back', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/system/limits`);
  const field = owner.getByLabel(/^每位用户每分钟请求数/);
  await expect(field).toHaveAttribute('placeholder', '按环境变量：300');
  await field.fill('2');
  await save(owner);
  const row = owner.getByRole('table', { name: '生效中的访问频率' }).getByRole('row', { name: /每位用户的全部请求/ });
  await expect(row).toContainText('已改');
  const di = await Player.logIn(sandbox.base, 'di-of-the-limits');
  await di.get('/v1/users/me');
  await di.get('/v1/users/me');
  await expect(di.get('/v1/users/me')).rejects.toThrow(/429|频繁|RATE_LIMIT/);
  await field.fill('');
  await save(owner);
  await expect(row).not.toContainText('已改');
  await di.get('/v1/users/me');
});

test('a day is compared with its bill and stands in the list of days', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/reconciliation/days`);
  await owner.getByRole('button', { name: '现在核对一天…' }).click();
  const dialog = owner.getByRole('dialog', { name: '现在核对一天' });
  await dialog.getByRole('button', { name: '核对', exact: true }).click();
  const days = owner.getByRole('table', { name: '核对过的日子' });
  await expect(days.getByRole('row').nth(1)).toContainText(/一致|有差异|没取到账单/, { timeout: 30_000 });
});
