// What happens in a sandbox before its pages are looked at, so that each has something to show: people
// who buy, make pictures, publish, report and fail. All of it through the doors that everybody uses.
import type { Page } from '@playwright/test';
import { OWNER } from './server';
import { Player } from './player';
import type { Ids } from './views';

export interface AdminCalls {
  get: <T>(path: string) => Promise<T>;
  send: <T>(method: 'POST' | 'PUT', path: string, body: unknown) => Promise<T>;
}

/** Calls of the admin API with the cookie of `page`. */
export function adminCalls(page: Page, base: string): AdminCalls {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await page.request.fetch(`${base}/admin/api${path}`, {
      method,
      headers: { Origin: base, 'Idempotency-Key': crypto.randomUUID() },
      ...(body === undefined ? {} : { data: body }),
    });
    if (!answer.ok()) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return (await answer.json().catch(() => null)) as T;
  };
  return { get: (path) => call('GET', path), send: call };
}

/** Gives the password again, for what moves money. */
export async function confirmed(admin: AdminCalls): Promise<void> {
  await admin.send('POST', '/session/step-up', { password: OWNER.password });
}

interface Setting {
  key: string;
  version: string;
}

/** Changes members of a section of the settings. */
export async function set(admin: AdminCalls, section: string, change: Record<string, unknown>): Promise<void> {
  const { sections } = await admin.get<{ sections: Setting[] }>('/settings');
  const version = sections.find((one) => one.key === section)?.version ?? '';
  await admin.send('PUT', `/settings/${section}`, { change, version });
}

/** A little of everything; an id of each kind that has a page of its own. */
export async function live(admin: AdminCalls, base: string): Promise<Ids> {
  const ann = await Player.logIn(base, '林小满');
  const ben = await Player.logIn(base, '周一白');
  const orderId = await ann.buyPoints();
  await ann.buyPlan();
  await ben.buyPoints();
  await confirmed(admin);
  await admin.send('POST', `/orders/${orderId}/refunds`, { ifPointsSpent: 'refuse', reason: '用户误购，已协商' });

  await set(admin, 'gallery', { holdForReview: true });
  const jobId = await ann.makePicture('月光下的山水，水墨画');
  await ann.publish('雪山下的碧蓝湖泊，一条小路通向远方', jobId);
  await ann.publish('海上升起的满月，候鸟成群掠过天际');
  await ben.publish('沙漠深处的月牙泉，远处木屋炊烟袅袅');
  await ben.failToMake('开满薰衣草的山谷');
  const { items } = await ben.get<{ items: { id: string }[] }>('/v1/gallery/images');
  await ben.post(`/v1/gallery/images/${items[0]?.id}/report`, { reason: 'AD' });
  await admin.send('POST', '/codes/batches', { name: '春节活动', points: 30, count: 20 });
  return { users: String(ann.id), orders: orderId, jobs: jobId };
}
