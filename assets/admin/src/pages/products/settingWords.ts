// What the settings are called and mean. The server checks the values; a setting that is not known
// here is shown under its own name.
import { say, type Text } from '../../base/lang';

interface About {
  name: Text;
  help?: Text;
  /** The values it may have, when they are few. */
  values?: Record<string, Text>;
  /** What an empty field means. */
  none?: Text;
}

const UNLIMITED: Text = ['不限', 'Unlimited'];
const CHANNEL: Record<string, Text> = {
  auto: ['自动', 'Automatic'],
  wechat: ['优先微信支付', 'WeChat Pay first'],
  virtual: ['优先虚拟支付', 'Virtual payment first'],
  wechat_only: ['只用微信支付', 'WeChat Pay only'],
  virtual_only: ['只用虚拟支付', 'Virtual payment only'],
};
const RESOLUTION: Record<string, Text> = { '1K': ['1K', '1K'], '2K': ['2K', '2K'], '4K': ['4K', '4K'] };

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
  announcement: { name: ['公告', 'Announcement'], about: ['小程序里显示的公告。', 'What the mini-program shows.'] },
  limits: { name: ['访问频率', 'Rate limits'], about: ['每分钟允许多少次请求。', 'Requests allowed a minute.'] },
};

const FIELDS: Record<string, About> = {
  prices: { name: ['单张价格（积分）', 'Price of a picture, in points'] },
  draft: { name: ['草稿', 'Draft'] },
  final: { name: ['精绘', 'Final'] },
  pointsPerYuan: { name: ['每元积分', 'Points for a yuan'], help: ['自由金额充值时使用', 'When a free amount is bought'] },
  signUpBonus: { name: ['注册赠送', 'Sign-up bonus'], help: ['0 为不赠送', '0 gives none'] },
  checkIn: { name: ['连续签到奖励', 'Check-in by streak'], help: ['第 1、2、3…天的积分，用逗号分隔；最后一个对以后的日子有效', 'Points of day 1, 2, 3, …, separated by commas; the last holds from then on'] },
  invite: { name: ['邀请', 'Invitations'] },
  reward: { name: ['邀请奖励', 'Reward'], help: ['每邀请一人的积分，0 为不奖励', 'Points for each invited user; 0 gives none'] },
  on: { name: ['何时发放', 'Given when'], values: { first_job: ['首次生成成功', 'first job succeeded'], first_payment: ['首次付款', 'first payment'] } },
  cap: { name: ['最多奖励人数', 'At most'] },
  normal: { name: ['普通用户', 'Normal'] },
  vip: { name: ['VIP', 'VIP'] },
  svip: { name: ['SVIP', 'SVIP'] },
  freePerDay: { name: ['每日免费张数', 'Free pictures a day'], none: UNLIMITED },
  freePerMonth: { name: ['每月免费张数', 'Free pictures a month'], none: UNLIMITED },
  fairUsePerDay: { name: ['每日上限', 'Cap a day'], help: ['积分也不能突破', 'Points do not lift it'], none: UNLIMITED },
  maxResolution: { name: ['最高分辨率', 'Largest resolution'], values: RESOLUTION },
  concurrency: { name: ['同时运行的任务', 'Jobs at once'] },
  weight: { name: ['排队权重', 'Weight in the queue'], help: ['4 表示别人轮到 1 次时轮到 4 次', '4 gets four turns while 1 gets one'] },
  historyDays: { name: ['结果保留天数', 'Days results are kept'], none: ['永久', 'For ever'] },
  pointsAllowed: { name: ['免费用完可用积分', 'Points may pay for more'] },
  monthlyPoints: { name: ['每月赠送积分', 'Points each month'] },
  reminderDays: { name: ['到期前几天提醒', 'Remind days before the end'], help: ['0 为不提醒', '0 reminds nobody'] },
  channels: { name: ['支付渠道', 'Channels'] },
  points: { name: ['积分', 'Points'] },
  ios: { name: ['iOS', 'iOS'], values: CHANNEL },
  android: { name: ['安卓', 'Android'], values: CHANNEL },
  other: { name: ['其他', 'Other'], values: CHANNEL },
  orderMinutes: { name: ['订单有效分钟', 'Minutes to pay'] },
  maxPendingPerUser: { name: ['每人最多待支付订单', 'Pending orders of a user'] },
  askAfterS: { name: ['支付后第几秒询问微信', 'Seconds after which WeChat is asked'] },
  askConcurrency: { name: ['同时询问数', 'Questions at once'] },
  syncEveryS: { name: ['用户手动刷新间隔（秒）', 'Seconds between a user’s own checks'] },
  reportShipping: { name: ['向微信上报发货', 'Report shipping to WeChat'] },
  refusedKeptPerHour: { name: ['每小时保留的异常通知', 'Refused notices kept an hour'] },
  deadlineS: { name: ['任务时限（秒）', 'Deadline of a job (s)'] },
  lateGraceS: { name: ['迟到结果宽限（秒）', 'Grace for late results (s)'] },
  retry: { name: ['重试', 'Retries'] },
  maxAttempts: { name: ['最多尝试次数', 'Attempts in all'] },
  firstDelayMs: { name: ['首次重试间隔（毫秒）', 'Before the second try (ms)'] },
  maxDelayMs: { name: ['最长重试间隔（毫秒）', 'Longest wait between tries (ms)'] },
  visible: { name: ['图片角标', 'Mark in the corner'] },
  text: { name: ['文字', 'Text'] },
  producer: { name: ['制作者（元数据）', 'Producer (metadata)'] },
  holdForReview: { name: ['先审后发', 'Every picture waits for review'] },
  reportsToHide: { name: ['被举报几次自动隐藏', 'Reports that hide a picture'], help: ['0 为从不', '0 never hides one'] },
  checker: { name: ['检查方式', 'Checked by'], values: { off: ['不检查', 'nobody'], words: ['敏感词表', 'word list'], wechat: ['敏感词表和微信', 'word list and WeChat'] } },
  promptsWhenUnavailable: { name: ['微信检查不可用时', 'When WeChat cannot be asked'], values: { allow: ['放行提示词', 'let prompts pass'], refuse: ['拒绝', 'refuse'] } },
  verdictMinutes: { name: ['等待图片结论（分钟）', 'Minutes to wait for a verdict'] },
  pictureAttempts: { name: ['图片检查次数', 'Times a picture is asked about'] },
  imageReady: { name: ['图片完成', 'Image ready'] },
  membershipEnds: { name: ['会员到期', 'Membership ends'] },
  templateId: { name: ['微信模板 ID', 'WeChat template id'] },
  page: { name: ['打开的页面', 'Page it opens'] },
  fields: { name: ['模板字段', 'Fields of the template'] },
  state: { name: ['小程序版本', 'Version it opens'], values: { developer: ['开发版', 'developer'], trial: ['体验版', 'trial'], formal: ['正式版', 'formal'] } },
  queueMax: { name: ['最多等待消息', 'Messages waiting at most'] },
  keepS: { name: ['消息保留秒数', 'Seconds a message is kept'] },
};

function about(path: string): About | undefined {
  return FIELDS[path.slice(path.lastIndexOf('.') + 1)];
}

export function nameOf(path: string): string {
  const known = about(path);
  return known ? say(known.name) : path.slice(path.lastIndexOf('.') + 1);
}

export function helpOf(path: string): string {
  const known = about(path);
  return known?.help ? say(known.help) : '';
}

export function noneOf(path: string): string {
  const known = about(path);
  return known?.none ? say(known.none) : '';
}

export function valuesOf(path: string): { value: string; label: string }[] | null {
  const values = about(path)?.values;
  return values ? Object.entries(values).map(([value, label]) => ({ value, label: say(label) })) : null;
}

export function sectionName(key: string): string {
  const known = SECTIONS[key];
  return known ? say(known.name) : key;
}
