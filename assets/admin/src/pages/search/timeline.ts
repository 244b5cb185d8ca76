// An entry of a timeline as one line.
import type { Item } from '../../api/types';
import { count, duration, money, term } from '../../base/format';
import { t } from '../../base/lang';
import { word, type Tone } from '../../base/words';

export interface Entry {
  name: string;
  text: string;
  tone: Tone;
}

type Data = Record<string, unknown>;
type Kind = Item<'/timeline'>['kind'];

const text = (data: Data, key: string): string => (data[key] === null || data[key] === undefined ? '' : String(data[key]));
const fen = (data: Data, key: string): string => money(typeof data[key] === 'number' ? (data[key] as number) : null);
const join = (...parts: string[]): string => parts.filter(Boolean).join(' · ');
const DAY_MS = 86_400_000;

const TELL: Record<Kind, (data: Data) => Entry> = {
  login: () => ({ name: t('登录', 'Log-in'), text: '', tone: 'grey' }),
  order: (data) => ({ name: t('下单', 'Order'), text: join(text(data, 'product'), fen(data, 'amount'), word('method', text(data, 'method')), word('order', text(data, 'status'))), tone: 'calm' }),
  payment: (data) => ({ name: t('付款', 'Payment'), text: join(fen(data, 'amount'), word('method', text(data, 'method')), text(data, 'transactionId')), tone: 'good' }),
  notification: (data) => ({ name: word('source', text(data, 'source')), text: join(text(data, 'type'), word('event', text(data, 'state')), text(data, 'problem')), tone: data['problem'] ? 'bad' : 'grey' }),
  refund: (data) => ({ name: t('退款', 'Refund'), text: join(fen(data, 'amount'), word('refund', text(data, 'status')), text(data, 'reason'), text(data, 'problem')), tone: data['problem'] ? 'bad' : 'warn' }),
  ledger: (data) => ({
    name: t('积分', 'Points'),
    text: join(`${data['type'] === 'SPEND' ? '−' : '+'}${count(Number(data['amount'] ?? 0))}`, text(data, 'description'), t('余额 {n}', 'balance {n}', { n: count(Number(data['balance'] ?? 0)) })),
    tone: data['type'] === 'SPEND' ? 'grey' : 'good',
  }),
  membership: (data) => ({ name: t('会员', 'Membership'), text: join(text(data, 'level'), term(Math.round(Number(data['durationMs'] ?? 0) / DAY_MS)), word('grant', text(data, 'source'))), tone: 'good' }),
  job: (data) => ({ name: t('提交任务', 'Job'), text: join(word('mode', text(data, 'mode')), text(data, 'resolution'), word('job', text(data, 'status'))), tone: 'calm' }),
  jobStarted: (data) => ({ name: t('开始生成', 'Begun'), text: join(text(data, 'upstream'), t('第 {n} 次', 'attempt {n}', { n: text(data, 'attempts') })), tone: 'calm' }),
  attempt: (data) => ({
    name: t('第 {n} 次尝试', 'Attempt {n}', { n: text(data, 'number') }),
    text: join(text(data, 'upstream'), word('phase', text(data, 'phase')), text(data, 'errorCode') || t('成功', 'worked'), data['httpStatus'] ? `HTTP ${text(data, 'httpStatus')}` : '', duration(Number(data['tookMs'] ?? 0)), text(data, 'message')),
    tone: data['errorCode'] ? 'warn' : 'good',
  }),
  jobEnded: (data) => ({ name: t('任务结束', 'Ended'), text: join(word('job', text(data, 'status')), text(data, 'errorCode'), text(data, 'errorMessage')), tone: data['errorCode'] ? 'bad' : 'good' }),
  image: (data) => ({ name: t('发布作品', 'Picture published'), text: word('image', text(data, 'status')), tone: 'calm' }),
  audit: (data) => ({ name: t('操作', 'Change'), text: join(text(data, 'action'), text(data, 'actor')), tone: 'warn' }),
};

export function told(kind: Kind, data: Data): Entry {
  const tell = TELL[kind] as ((data: Data) => Entry) | undefined;
  return tell ? tell(data) : { name: kind, text: '', tone: 'grey' };
}
