// Lists: what is filtered is what is asked for, stands in the address, and is what is exported.
import { Player } from '../support/player';
import { expect, test } from '../support/scene';
import { open } from '../support/views';

const LISTS = ['/users', '/orders', '/jobs', '/refunds'];

test('every choice of every filter is one that the server knows', async ({ owner }) => {
  for (const path of LISTS) {
    await open(owner, path);
    const filters = owner.getByRole('search', { name: '筛选' }).getByRole('combobox');
    for (let n = 0; n < (await filters.count()); n += 1) {
      const show = () => filters.nth(n).focus().then(() => owner.keyboard.press('Enter'));
      await show();
      await expect(owner.getByRole('option').filter({ visible: true }).first()).toBeVisible();
      const options = await owner.getByRole('option').filter({ visible: true }).allTextContents();
      expect(options.length, `${path}, filter ${n}`).toBeGreaterThan(0);
      await owner.keyboard.press('Escape');
      for (const option of options) {
        await show();
        const answer = owner.waitForResponse((one) => one.url().includes(`/admin/api${path}?`));
        await owner.getByRole('option', { name: option, exact: true }).filter({ visible: true }).click();
        expect((await answer).status(), `${path}: ${option}`).toBe(200);
      }
      await open(owner, path);
    }
  }
});

test('the export has what the filters leave', async ({ owner, sandbox }) => {
  for (const name of ['zoe-of-the-lists', 'zoe-of-the-files']) await Player.logIn(sandbox.base, name);
  await open(owner, '/users?search=zoe-of');
  const names = owner.getByRole('table', { name: '用户列表' }).getByRole('row');
  await expect(names).toHaveCount(1 + 2);
  const link = owner.getByRole('link', { name: '导出 CSV' });
  const answer = await owner.request.get(sandbox.base + ((await link.getAttribute('href')) ?? ''));
  expect(answer.headers()['content-type']).toContain('text/csv');
  const lines = (await answer.text()).trim().split('\n');
  expect(lines).toHaveLength(1 + 2);
});

test('the export of the review has the pile that is shown', async ({ owner, sandbox }) => {
  for (const pile of ['', 'reported', 'rejected', 'hidden']) {
    await open(owner, pile ? `/review?pile=${pile}` : '/review');
    const link = owner.getByRole('link', { name: '导出 CSV' });
    await expect(link).toHaveAttribute('href', new RegExp(`pile=${pile || 'pending'}`));
    const answer = await owner.request.get(sandbox.base + ((await link.getAttribute('href')) ?? ''));
    expect(answer.status()).toBe(200);
  }
});
