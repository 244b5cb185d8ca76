// What an administrator can do to an account. Each says beforehand what will happen, and takes the
// reason that the audit log keeps.
import { api, idempotencyKey, ok } from '../../api/client';
import { attempt } from '../../base/act';
import { ask, type AskField } from '../../base/ask';
import { save } from '../../base/files';
import { count, LIFETIME_DAYS } from '../../base/format';
import { t } from '../../base/lang';
import { note } from '../../base/notes';

interface Who {
  id: number;
  nickName?: string | null;
  pointsBalance: number;
}

const path = (id: number) => ({ path: { id } });

export function reasonField(): AskField {
  return { key: 'reason', label: t('原因（写入操作记录）', 'Reason (kept in the audit log)'), type: 'textarea', required: true, max: 200 };
}

function nameOf(user: Who): string {
  return user.nickName || t('用户 {id}', 'User {id}', { id: user.id });
}

export function changePoints(user: Who): Promise<boolean> {
  const key = idempotencyKey();
  return ask({
    title: t('增减积分：{n}', 'Change points: {n}', { n: nameOf(user) }),
    intro: t('当前余额 {n} 分。', 'The balance is {n} points.', { n: count(user.pointsBalance) }),
    confirm: t('记账', 'Book it'),
    fields: [
      {
        key: 'amount', label: t('数量（扣除请写负数）', 'Amount (negative to deduct)'), type: 'integer', required: true,
        min: -user.pointsBalance, max: 1_000_000, help: t('余额不会低于零。', 'A balance never goes below zero.'),
      },
      reasonField(),
      { key: 'description', label: t('用户在流水里看到的说明', 'What the user reads in the statement'), type: 'text', max: 64 },
    ],
    preview: ({ amount }) =>
      typeof amount === 'number' && amount !== 0 ? t('余额 {a} → {b} 分', 'Balance {a} → {b} points', { a: count(user.pointsBalance), b: count(user.pointsBalance + amount) }) : null,
    submit: async ({ amount, reason, description }) => {
      await ok(
        api.POST('/users/{id}/points/adjust', {
          params: { ...path(user.id), header: { 'Idempotency-Key': key } },
          body: { amount: Number(amount), reason: String(reason), ...(description ? { description: String(description) } : {}) },
        }),
      );
      note('success', t('已记账', 'Booked'));
    },
  });
}

export function giveDays(user: Who): Promise<boolean> {
  const key = idempotencyKey();
  return ask({
    title: t('赠送会员：{n}', 'Give membership: {n}', { n: nameOf(user) }),
    intro: t('若用户已有更低的会员，剩余时间按价格折算。', 'Time left on a lower membership is converted by price.'),
    confirm: t('赠送', 'Give'),
    fields: [
      { key: 'level', label: t('等级', 'Level'), type: 'select', value: 'VIP', options: [{ value: 'VIP', label: 'VIP' }, { value: 'SVIP', label: 'SVIP' }] },
      { key: 'days', label: t('天数（{n} 为永久）', 'Days ({n} is for life)', { n: LIFETIME_DAYS }), type: 'integer', required: true, min: 1, max: LIFETIME_DAYS },
      reasonField(),
    ],
    submit: async ({ level, days, reason }) => {
      await ok(
        api.POST('/users/{id}/membership', {
          params: { ...path(user.id), header: { 'Idempotency-Key': key } },
          body: { level: level as 'VIP' | 'SVIP', days: Number(days), reason: String(reason) },
        }),
      );
      note('success', t('会员已生效', 'The membership is in force'));
    },
  });
}

export function ban(user: Who): Promise<boolean> {
  return ask({
    title: t('封禁 {n}', 'Ban {n}', { n: nameOf(user) }),
    consequences: [
      t('他立即被登出，不能再登录。', 'Logged out at once, and cannot log in again.'),
      t('排队中的任务取消并退还，待支付的订单取消。', 'Queued jobs are canceled and given back; pending orders are cancelled.'),
      t('他的作品立即从公开列表消失。', 'Published pictures leave the public lists at once.'),
      t('可以随时解除。', 'It can be lifted at any time.'),
    ],
    danger: true,
    confirm: t('封禁', 'Ban'),
    fields: [reasonField()],
    submit: async ({ reason }) => {
      await ok(api.POST('/users/{id}/ban', { params: path(user.id), body: { reason: String(reason) } }));
      note('success', t('已封禁', 'Banned'));
    },
  });
}

export function unban(user: Who): Promise<boolean> {
  return ask({
    title: t('解除封禁：{n}', 'Lift the ban: {n}', { n: nameOf(user) }),
    confirm: t('解除', 'Lift it'),
    fields: [reasonField()],
    submit: async ({ reason }) => {
      await ok(api.POST('/users/{id}/unban', { params: path(user.id), body: { reason: String(reason) } }));
      note('success', t('已解除', 'Lifted'));
    },
  });
}

export function logOutEverywhere(user: Who): Promise<boolean> {
  return ask({
    title: t('让 {n} 在所有设备上退出', 'Log {n} out everywhere', { n: nameOf(user) }),
    consequences: [t('所有登录立即失效；小程序会自动重新登录。', 'Every session ends at once; the mini-program logs in again by itself.')],
    confirm: t('全部退出', 'Log out'),
    fields: [reasonField()],
    submit: async ({ reason }) => {
      await ok(api.POST('/users/{id}/logout', { params: path(user.id), body: { reason: String(reason) } }));
      note('success', t('已全部退出', 'Logged out everywhere'));
    },
  });
}

export function remove(user: Who): Promise<boolean> {
  return ask({
    title: t('注销账号：{n}', 'Delete the account of {n}', { n: nameOf(user) }),
    consequences: [
      t('个人资料、作品和任务被删除，无法恢复。', 'Profile, pictures and jobs are deleted and cannot be brought back.'),
      t('账务必须保留的记录会匿名保留。', 'What accounting must keep is kept without the name.'),
      t('同一微信以后登录是一个新用户。', 'The same WeChat account is a new user later.'),
    ],
    danger: true,
    confirm: t('永久注销', 'Delete for good'),
    fields: [{ key: 'typed', label: t('输入用户编号 {id} 以确认', 'Type the id {id} to confirm', { id: user.id }), type: 'text', required: true }, reasonField()],
    submit: async ({ typed, reason }) => {
      if (String(typed) !== String(user.id)) throw new Error(t('编号不一致。', 'That is not the id.'));
      await ok(api.POST('/users/{id}/delete', { params: path(user.id), body: { reason: String(reason) } }));
      note('success', t('账号已注销', 'The account is deleted'));
    },
  });
}

/** Everything held of a user, as a file. The password may be asked for first, so it is no plain link. */
export async function exportData(user: Who): Promise<boolean> {
  return attempt(async () => {
    const text = await ok(api.GET('/users/{id}/export', { params: path(user.id), parseAs: 'text' }));
    save(`user-${user.id}.json`, text as unknown as string, 'application/json');
  });
}
