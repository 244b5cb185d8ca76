// Sending money back: what is unused is worked out first, and what is taken back in return is said
// before anything happens.
import { api, ok } from '../../api/client';
import { ask } from '../../base/ask';
import { count, money } from '../../base/format';
import { t } from '../../base/lang';
import { noteFailure } from '../../base/act';
import { note } from '../../base/notes';

export async function refund(order: { orderId: string }): Promise<boolean> {
  let unused;
  try {
    unused = await ok(api.GET('/orders/{id}/refund-preview', { params: { path: { id: order.orderId } } }));
  } catch (error) {
    noteFailure(error);
    return false;
  }
  const left = unused.leftFen;
  return ask({
    title: t('退款', 'Refund'),
    intro: t('这笔订单还可退 {a}；没用掉的值 {b}（会员剩 {c} 天，积分剩 {d}）。', '{a} can go back; what is not used up is worth {b} ({c} days of membership, {d} points).', {
      a: money(left), b: money(unused.unusedFen), c: count(unused.unusedDays), d: count(unused.unusedPoints),
    }),
    consequences: [
      t('钱按原路退回，通常几分钟内到账，不能撤回。', 'The money goes back the way it came, mostly within minutes. It cannot be called back.'),
      t('全额退款会收回这笔订单剩下的会员和积分；部分退款按比例收回。', 'A full refund takes back what is left of the membership and points; a part takes them in proportion.'),
    ],
    danger: true,
    confirm: t('退款', 'Refund'),
    fields: [
      { key: 'amount', label: t('退款金额', 'Amount'), type: 'money', required: true, value: unused.unusedFen > 0 ? Math.min(left, unused.unusedFen) : left, min: 1, max: left },
      {
        key: 'spent', label: t('积分已经花掉时', 'When the points are spent'), type: 'select', value: 'refuse',
        options: [{ value: 'refuse', label: t('不退', 'Do not refund') }, { value: 'take_what_is_left', label: t('照样退，收回剩下的', 'Refund anyway, take what is left') }],
      },
      { key: 'reason', label: t('原因（付款人会看到）', 'Reason (the payer sees it)'), type: 'textarea', required: true, max: 80 },
    ],
    submit: async ({ amount, spent, reason }) => {
      await ok(api.POST('/orders/{id}/refunds', { params: { path: { id: order.orderId } }, body: { amount: Number(amount), reason: String(reason), ifPointsSpent: spent as 'refuse' | 'take_what_is_left' } }));
      note('success', t('退款已提交微信', 'The refund is with WeChat'));
    },
  });
}
