// What the sections of the settings are called, and the values of choices. What a setting is called, its
// range and its unit come from the server, which checks them.
import { lang, say, t, type Text } from '../../base/lang';

export const SECTIONS: Record<string, { name: Text; about: Text }> = {
  economy: { name: ['价格与积分', 'Prices and points'], about: ['一张图多少积分，签到、注册和邀请送多少。', 'What a picture costs in points, and what check-ins, sign-up and invitations give.'] },
  entitlements: { name: ['额度与权益', 'Quotas and entitlements'], about: ['每个会员等级能做什么。', 'What each level may do.'] },
  membership: { name: ['会员福利', 'Membership'], about: ['每月赠送与到期提醒。', 'Monthly points and reminders.'] },
  payment: { name: ['支付', 'Payment'], about: ['支付渠道、订单时限、多久问一次微信。', 'Channels, time to pay, how often WeChat is asked.'] },
  jobs: { name: ['生图任务', 'Image jobs'], about: ['时限与重试。', 'Deadlines and retries.'] },
  label: { name: ['AI 标识', 'AI label'], about: ['GB 45438-2025 要求的标识。', 'What GB 45438-2025 asks for.'] },
  gallery: { name: ['画廊', 'Gallery'], about: ['先审后发与举报。', 'Review before publishing, and reports.'] },
  moderation: { name: ['内容安全', 'Moderation'], about: ['文字和图片由谁检查。', 'Who looks at texts and pictures.'] },
  messages: { name: ['订阅消息', 'Subscribe messages'], about: ['微信模板与填写的内容。', 'WeChat templates and what fills them.'] },
  announcement: { name: ['公告', 'Announcement'], about: ['打开小程序的人看到的公告。', 'What everybody is told who opens the mini-program.'] },
  alerts: { name: ['告警', 'Alerts'], about: ['出了问题通知谁，以及从什么程度算起。测试消息在「运行状态 → 告警」发送。', 'Who is told when something is wrong, and from when on it is. A test message is sent under System, Alerts.'] },
  limits: { name: ['访问频率', 'Rate limits'], about: ['每分钟允许多少次请求。', 'Requests allowed a minute.'] },
};

export function sectionName(key: string): string {
  const known = SECTIONS[key];
  return known ? say(known.name) : key;
}

const VALUES: Record<string, Text> = {
  first_job: ['首次生成成功', 'first job succeeded'],
  first_payment: ['首次付款', 'first payment'],
  auto: ['自动', 'automatic'],
  wechat: ['微信', 'WeChat'],
  virtual: ['优先虚拟支付', 'virtual payment first'],
  wechat_only: ['只用微信支付', 'WeChat Pay only'],
  virtual_only: ['只用虚拟支付', 'virtual payment only'],
  off: ['不检查', 'nobody'],
  words: ['敏感词表', 'word list'],
  allow: ['放行', 'allow'],
  refuse: ['拒绝', 'refuse'],
  developer: ['开发版', 'developer'],
  trial: ['体验版', 'trial'],
  formal: ['正式版', 'formal'],
  info: ['提示', 'information'],
  warning: ['警告', 'warning'],
  zh: ['中文', 'Chinese'],
  en: ['英文', 'English'],
};

export function valueName(value: string): string {
  const known = VALUES[value];
  return known ? say(known) : value;
}

const UNITS: Record<string, string> = {
  points: '积分', days: '天', seconds: '秒', minutes: '分钟', hours: '小时', users: '人', orders: '笔', reports: '次',
  pictures: '张', jobs: '个', times: '次', ms: '毫秒', milliseconds: '毫秒', messages: '条', characters: '字', requests: '次', percent: '%',
};

export function unitName(unit: string): string {
  return lang.value === 'en' && unit !== 'percent' ? unit : (UNITS[unit] ?? unit);
}

/** A value as the list of differences writes it. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return t('（空）', '(none)');
  if (typeof value === 'boolean') return value ? t('是', 'yes') : t('否', 'no');
  if (typeof value === 'string') return valueName(value);
  if (Array.isArray(value)) return value.map((one) => (typeof one === 'object' ? Object.values(one as object).join(' = ') : String(one))).join(', ');
  return String(value);
}
