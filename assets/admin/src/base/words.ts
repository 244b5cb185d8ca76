// What the states and kinds that the server names are called, and how they look. A name that is not
// known here is shown as it came, so that a newer server never leaves a blank.
import { say, type Text } from './lang';

export type Tone = 'good' | 'warn' | 'bad' | 'calm' | 'grey';
type Word = readonly [zh: string, en: string, tone: Tone];

const WORDS: Record<string, Record<string, Word>> = {
  order: {
    PENDING: ['待支付', 'Pending', 'calm'],
    PAID: ['已支付', 'Paid', 'good'],
    CANCELLED: ['已取消', 'Cancelled', 'grey'],
    EXPIRED: ['已过期', 'Expired', 'grey'],
    REFUNDING: ['退款中', 'Refunding', 'warn'],
    REFUNDED: ['已退款', 'Refunded', 'grey'],
    PARTIALLY_REFUNDED: ['部分退款', 'Partly refunded', 'warn'],
  },
  refund: {
    REFUNDING: ['退款中', 'On its way', 'warn'],
    TOLD: ['微信已通知', 'Told by WeChat', 'calm'],
    REFUNDED: ['已退款', 'Refunded', 'good'],
    FAILED: ['失败', 'Failed', 'bad'],
  },
  job: {
    QUEUED: ['排队中', 'Queued', 'calm'],
    RUNNING: ['生成中', 'Running', 'calm'],
    RETRYING: ['重试中', 'Retrying', 'warn'],
    SUCCEEDED: ['成功', 'Succeeded', 'good'],
    FAILED: ['失败', 'Failed', 'bad'],
    CANCELED: ['已取消', 'Canceled', 'grey'],
  },
  image: {
    PENDING: ['待审核', 'Pending', 'warn'],
    APPROVED: ['已通过', 'Approved', 'good'],
    REJECTED: ['已拒绝', 'Rejected', 'bad'],
    HIDDEN: ['已隐藏', 'Hidden', 'grey'],
  },
  level: {
    NORMAL: ['普通', 'Normal', 'grey'],
    VIP: ['VIP', 'VIP', 'good'],
    SVIP: ['SVIP', 'SVIP', 'warn'],
  },
  account: {
    active: ['正常', 'Active', 'good'],
    banned: ['已封禁', 'Banned', 'bad'],
    deleted: ['已注销', 'Deleted', 'grey'],
  },
  role: {
    owner: ['所有者', 'Owner', 'good'],
    operator: ['运营', 'Operator', 'calm'],
    content: ['内容', 'Content', 'calm'],
    viewer: ['只读', 'Viewer', 'grey'],
  },
  method: {
    wechat: ['微信支付', 'WeChat Pay', 'grey'],
    virtual: ['虚拟支付', 'Virtual payment', 'grey'],
  },
  product: {
    VIP: ['会员', 'Membership', 'grey'],
    POINTS: ['积分', 'Points', 'grey'],
  },
  difference: {
    not_credited: ['已付款未到账', 'Paid, not credited', 'bad'],
    not_paid: ['已到账未付款', 'Credited, not paid', 'bad'],
    amount: ['金额不符', 'Amounts differ', 'bad'],
    payment: ['支付单号不符', 'Payments differ', 'bad'],
    unknown_order: ['不认识的订单', 'Unknown order', 'warn'],
    unknown_refund: ['不认识的退款', 'Unknown refund', 'warn'],
    refund_state: ['退款状态不符', 'Refund states differ', 'warn'],
    refund_missing: ['退款缺失', 'Refund missing', 'bad'],
    refund_amount: ['退款金额不符', 'Refund amounts differ', 'bad'],
  },
  asked: {
    PAID: ['微信说：已支付', 'WeChat says: paid', 'good'],
    UNPAID: ['微信说：未支付', 'WeChat says: not paid', 'calm'],
    MISMATCH: ['微信说的对不上', 'What WeChat says does not fit', 'bad'],
    UNKNOWN: ['没问到，稍后会再问', 'WeChat could not be asked; it will be again', 'warn'],
    NOTHING: ['没有需要问的', 'There is nothing to ask', 'grey'],
  },
  event: {
    received: ['已收到', 'Received', 'calm'],
    refused: ['不可信', 'Not believed', 'grey'],
    done: ['已处理', 'Done', 'good'],
    repeated: ['重复', 'Repeated', 'grey'],
    flagged: ['待处理', 'To look at', 'bad'],
    resolved: ['已查明', 'Looked at', 'good'],
  },
  source: {
    notify: ['支付通知', 'Payment notice', 'grey'],
    refund_notify: ['退款通知', 'Refund notice', 'grey'],
    push: ['消息推送', 'Message push', 'grey'],
    query: ['主动询问', 'Our question', 'grey'],
  },
  difference_state: {
    OPEN: ['待处理', 'Open', 'bad'],
    RESOLVED: ['已解决', 'Resolved', 'good'],
  },
  breaker: {
    closed: ['正常', 'Healthy', 'good'],
    half_open: ['试探中', 'Probing', 'warn'],
    open: ['已熔断', 'Open', 'bad'],
  },
  code: {
    active: ['可用', 'Active', 'good'],
    used: ['已用完', 'Used up', 'grey'],
    expired: ['已过期', 'Expired', 'grey'],
    revoked: ['已作废', 'Revoked', 'bad'],
  },
  severity: {
    critical: ['紧急', 'Critical', 'bad'],
    error: ['错误', 'Error', 'bad'],
    warning: ['注意', 'Warning', 'warn'],
    warn: ['注意', 'Warning', 'warn'],
    info: ['提示', 'Info', 'calm'],
    ok: ['正常', 'OK', 'good'],
  },
  finding: {
    pass: ['正常', 'Pass', 'good'],
    warn: ['注意', 'Warning', 'warn'],
    fail: ['失败', 'Fail', 'bad'],
  },
  alert: {
    firing: ['告警中', 'Firing', 'bad'],
    pending: ['观察中', 'Pending', 'warn'],
    quiet: ['正常', 'Well', 'good'],
  },
  channel: {
    on: ['已启用', 'On', 'good'],
    off: ['未启用', 'Off', 'grey'],
  },
  backup_kind: {
    full: ['完整备份', 'Full', 'good'],
    preMigration: ['升级前的副本', 'From before an upgrade', 'grey'],
  },
  backup_run: {
    backup: ['备份', 'Backup', 'calm'],
    drill: ['恢复演练', 'Restore for a try', 'calm'],
  },
  backup_cause: {
    schedule: ['定时', 'Schedule', 'grey'],
    admin: ['管理员', 'An administrator', 'calm'],
    command: ['命令行', 'Command line', 'calm'],
  },
  bill: {
    same: ['一致', 'Agrees', 'good'],
    differs: ['有差异', 'Differs', 'bad'],
    missing: ['没取到账单', 'No bill', 'warn'],
  },
  grant: {
    order: ['购买', 'Bought', 'good'],
    admin: ['管理员赠送', 'Given by hand', 'calm'],
    code: ['兑换码', 'Redeem code', 'calm'],
  },
  transaction: {
    EARN: ['获得', 'Earned', 'good'],
    SPEND: ['消费', 'Spent', 'grey'],
    REFUND: ['退回', 'Given back', 'calm'],
  },
  mode: { draft: ['草稿', 'Draft', 'grey'], final: ['成品', 'Final', 'calm'] },
};

export type Vocabulary = keyof typeof WORDS;

export function word(vocabulary: string, value: string | null | undefined): string {
  if (!value) return '–';
  const known = WORDS[vocabulary]?.[value] ?? WORDS[vocabulary]?.[value.toLowerCase()] ?? WORDS[vocabulary]?.[value.toUpperCase()];
  return known ? say([known[0], known[1]] as Text) : value;
}

export function tone(vocabulary: string, value: string | null | undefined): Tone {
  if (!value) return 'grey';
  return (WORDS[vocabulary]?.[value] ?? WORDS[vocabulary]?.[value.toLowerCase()] ?? WORDS[vocabulary]?.[value.toUpperCase()])?.[2] ?? 'grey';
}

/** The values of a vocabulary with their names, for a filter. */
export function choices(vocabulary: string): { value: string; label: string }[] {
  return Object.entries(WORDS[vocabulary] ?? {}).map(([value, w]) => ({ value, label: say([w[0], w[1]] as Text) }));
}
