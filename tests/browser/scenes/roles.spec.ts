// The role "viewer": sees, and changes nothing, neither by the page nor by calling the API.
import { expect, OWNER, stepUp, test } from '../support/scene';
import { asAdmin } from '../support/scene';

test('a viewer sees everything and changes nothing', async ({ owner, sandbox, browser }) => {
  await owner.goto(`${sandbox.base}/admin/#/admins`);
  await owner.getByRole('button', { name: '添加管理员' }).click();
  const dialog = owner.getByRole('dialog', { name: '添加管理员' });
  await dialog.getByLabel('用户名').fill('watcher');
  await dialog.getByLabel('角色').selectOption('viewer');
  await dialog.getByRole('button', { name: '添加', exact: true }).click();
  const shown = owner.locator('.once pre');
  await stepUp(owner, shown, OWNER.password);
  const password = ((await shown.textContent()) ?? '').trim();

  const page = await asAdmin(browser, sandbox.base, 'watcher', password);
  await page.goto(`${sandbox.base}/admin/#/users/1`);
  const change = page.getByRole('button', { name: '增减积分' });
  await expect(change).toBeDisabled();
  await expect(change).toHaveAttribute('title', /需要「运营」/);
  await page.goto(`${sandbox.base}/admin/#/settings/economy`);
  await expect(page.getByRole('button', { name: '查看差异并保存' })).toBeDisabled();
  await expect(page.getByLabel('新用户奖励')).toBeDisabled();
  await page.goto(`${sandbox.base}/admin/#/codes`);
  await expect(page.getByRole('button', { name: '生成兑换码' })).toBeDisabled();
  await page.goto(`${sandbox.base}/admin/#/admins`);
  await expect(page.getByText('只有所有者可以查看和更改管理员')).toBeVisible();

  // From inside the page, with its cookie and its origin: as good as a request can be.
  const document = await page.evaluate(async () => (await (await fetch('/admin/api/openapi.json')).json()) as { paths: Record<string, Record<string, { operationId: string; security?: Record<string, unknown>[] }>> });
  const changing = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method, operation]) => method !== 'get' && !operation.security?.some((scheme) => 'Viewer' in scheme) && operation.security?.length)
      .map(([method]) => ({ path: path.replace(/\{[^}]+\}/g, '1'), method: method.toUpperCase() })),
  );
  expect(changing.length).toBeGreaterThan(20);
  const allowed = await page.evaluate(async (calls) => {
    const through: string[] = [];
    for (const { path, method } of calls) {
      const answer = await fetch(`/admin/api${path}`, { method, headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'x' }, body: '{}' });
      if (answer.status !== 403) through.push(`${method} ${path}: ${answer.status}`);
    }
    return through;
  }, changing);
  expect(allowed).toEqual([]);
  await page.context().close();
});

test('what an administrator did is found by its request id', async ({ owner, sandbox }) => {
  await owner.goto(`${sandbox.base}/admin/#/audit`);
  await owner.getByRole('button', { name: /^admin/ }).first().click();
  const drawer = owner.getByRole('dialog');
  const requestId = ((await drawer.locator('.copy .mono').first().textContent()) ?? '').trim();
  expect(requestId.length).toBeGreaterThan(7);
  await owner.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await owner.goto(`${sandbox.base}/admin/#/audit?requestId=${requestId}`);
  await expect(owner.getByRole('table', { name: '操作记录' }).getByRole('row')).toHaveCount(2);
});
