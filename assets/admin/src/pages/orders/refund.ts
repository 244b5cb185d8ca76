// Sending money back: what is unused is worked out first, and what is taken back in return is said
// before anything happens.
import { api, ok } from '../../api/client';
import { ask } from '../../base/ask';
import { money } from '../../base/format';
import { t } from '../../base/lang';
import { noteFailure } from '../../base/act';
import { note } from '../../base/notes';
import { reasonField } from '../users/actions';

export async function refund(order: { orderId: string; amount: number; refundedAmount: number }): Promise<boolean> {
  let unused;
  try {
    unused = await ok(api.GET('/orders/{id}/refund-preview', { params: { path: { id: order.orderId } } }));
  } catch (error) {
    noteFailure(error);
    return false;
  }
  const left = order.amount - order.refundedAmount;
  return ask({
    title: t('退款', 'Refund'),
    intro: t('这笔订单还可退 {a}，其中未使用的价值约 {b}。', '{a} can go back; what is unused is worth about {b}.', { a: money(left), b: money(unused.unusedValue) }),
    consequences: [
      t('钱按原路退回，通常几分钟内到账，不能撤回。', 'The money goes back the way it came, mostly within minutes. It cannot be called back.'),
      t('全额退款会收回这笔订单剩下的会员和积分；部分退款按比例收回。', 'A full refund takes back what is left of the membership and points; a part takes them in proportion.'),
    ],
    danger: true,
    confirm: t('退款', 'Refund'),
    fields: [
      { key: 'amount', label: t('退款金额', 'Amount'), type: 'money', required: true, value: unused.unusedValue > 0 ? Math.min(left, unused.unusedValue) : left, min: 1, max: left },
      {
        key: 'spent', label: t('积分已经花掉时', 'When the points are spent'), type: 'select', value: 'refuse',
        options: [{ value: 'refuse', label: t('不退', 'Do not refund') }, { value: 'forgive', label: t('照样退，收回剩下的', 'Refund anyway, take what is left') }],
      },
      reasonField(),
    ],
    submit: async ({ amount, spent, reason }) => {
      await ok(api.POST('/orders/{id}/refunds', { params: { path: { id: order.orderId } }, body: { amount: Number(amount), reason: String(reason), whenSpent: spent as never } }));
      note('success', t('退款已提交微信', 'The refund is with WeChat'));
    },
  });
}
