// What the checks of doctor, the rules of the alerts, their channels, the rate limits and the periodic tasks are
// called. How each stands and what to do about it the server says, in the language of the page. Messages of alerts
// call the rules the same; a test compares.
import { say, type Text } from '../../base/lang';

/** The checks of doctor. */
const CHECKS: Record<string, Text> = {
  settings: ['配置', 'Settings'],
  secrets: ['密钥强度', 'Secrets'],
  file_modes: ['文件权限', 'File modes'],
  disk: ['磁盘空间', 'Disk'],
  database: ['数据库完整性', 'Database'],
  wal: ['写前日志', 'Write-ahead log'],
  points_books: ['积分账', 'Books of points'],
  money_books: ['资金账', 'Books of money'],
  payments: ['支付到账', 'Payments'],
  statistics: ['统计计数', 'Counters'],
  backups: ['备份', 'Backups'],
  server: ['服务', 'Server'],
  clock: ['系统时间', 'Clock'],
  wechat_account: ['小程序账号', 'WeChat app'],
  wechat_pay: ['微信支付', 'WeChat Pay'],
  public_url: ['公网地址', 'Public address'],
  callback_url: ['支付回调地址', 'Payment callback'],
  certificate: ['HTTPS 证书', 'Certificate'],
  image_apis: ['生图服务', 'Image APIs'],
  object_storage: ['对象存储', 'Object storage'],
  wechat_ip_list: ['微信 IP 白名单', 'WeChat IP list'],
  wechat_domains: ['小程序合法域名', 'Mini-program domains'],
};

/** The rules of the alerts; `about` is what each means. */
const RULES: Record<string, { name: Text; about: Text }> = {
  paid_not_credited: { name: ['已付款未到账', 'Paid, not credited'], about: ['有用户付了钱却没有到账，或支付通知两分钟没处理完。', 'Somebody paid and has not got it, or a notice waits for two minutes.'] },
  books_differ: { name: ['账目不平', 'Books differ'], about: ['积分余额与流水不符，或资金对不上。', 'Points or money do not add up.'] },
  breaker_open: { name: ['生图服务熔断', 'Image API left alone'], about: ['生图服务持续失败，已暂停向它派任务。', 'An image API fails and gets no jobs.'] },
  backup_failed: { name: ['备份不可靠', 'No young backup'], about: ['没有足够新的好备份，或上次恢复演练失败。', 'There is no good and young backup, or the last drill failed.'] },
  disk: { name: ['磁盘将满', 'Disk'], about: ['剩余空间不足，写满后将无法下单和生图。', 'When it is full, nothing can be written.'] },
  certificate: { name: ['证书将到期', 'Certificate'], about: ['HTTPS 证书不到 14 天到期，到期后小程序无法使用。', 'It holds less than 14 days; without one the mini-program stops.'] },
  error_rate: { name: ['错误率过高', 'Error rate'], about: ['五分钟内失败的请求过多。', 'Too many requests failed within five minutes.'] },
  writer_stuck: { name: ['无法写入', 'Nothing is written'], about: ['数据库写不进去，或一次写入超过 15 秒。', 'The database takes no writes, or one took 15 seconds.'] },
};

const CHANNELS: Record<string, Text> = {
  wecom: ['企业微信群机器人', 'WeCom robot'],
  feishu: ['飞书群机器人', 'Feishu robot'],
  webhook: ['通用 Webhook', 'Webhook (JSON)'],
};

/** The rate limits, by the name that refused clients are told; with the setting that changes each. */
export const LIMITS: Record<string, { name: Text; setting: string }> = {
  ip: { name: ['每个地址的全部请求', 'All requests of one address'], setting: 'perIp' },
  user: { name: ['每位用户的全部请求', 'All requests of one user'], setting: 'perUser' },
  login: { name: ['每个地址的登录', 'Log-ins of one address'], setting: 'loginPerIp' },
  generate: { name: ['每位用户提交生图', 'Generations of one user'], setting: 'generatePerUser' },
  export: { name: ['每位用户导出个人数据', 'Exports of one user\'s data'], setting: 'exportPerUser' },
};

/** The periodic tasks, by the names that log and metrics know them by. */
const TASKS: Record<string, Text> = {
  'auth.sweep': ['清除过期登录', 'Clear ended sessions'],
  'idempotency.sweep': ['清除过期的防重复记录', 'Clear kept answers'],
  'points.check_books': ['每夜核对积分账', 'Check the books of points at night'],
  'media.sweep': ['清理无主图片', 'Remove pictures that nobody holds'],
  'vip.monthly_points': ['发放会员每月积分', 'Give members their monthly points'],
  'vip.reminders': ['会员到期提醒', 'Note memberships that end soon'],
  'moderation.sweep': ['清理旧的审核记录', 'Remove old checks'],
  'gallery.checks': ['送审与查询审核结果', 'Have pictures checked'],
  'messages.send': ['发送订阅消息', 'Send messages'],
  'messages.sweep': ['清理旧消息', 'Remove old messages'],
  'generations.deadlines': ['结束超时的生图', 'End jobs that took too long'],
  'generations.late': ['查找迟到的生图结果', 'Look for late results'],
  'stats.sweep': ['清理旧的活跃记录', 'Forget who was active long ago'],
  'stats.moments': ['记录首页走势', 'Note numbers for the home page'],
  'payments.reconcile': ['向微信查询未到账的订单', 'Ask WeChat about unpaid orders'],
  'payments.shipping': ['向微信报告发货', 'Report deliveries to WeChat'],
  'refunds.work': ['推进退款', 'Carry refunds on'],
  'reconciliation.nightly': ['每夜对账', 'Compare with WeChat\'s bills at night'],
  'payments.sweep': ['整理支付通知', 'Tidy payment notices'],
  'generations.history': ['清理过期的生图记录', 'Remove old jobs'],
  'proxy.settle': ['结清直通调用的扣费', 'Settle pass-through charges'],
  'account.closures': ['完成注销', 'Finish deletions of accounts'],
  'backups.run': ['定时备份', 'Back up when due'],
  'wechat_pay.certificates': ['更新微信支付证书', 'Refresh WeChat Pay\'s certificates'],
  'alerts.check': ['检查报警规则', 'Look whether an alert is due'],
  'admin.sweep': ['清除过期的管理员登录', 'Clear ended sessions of administrators'],
  'log.expire': ['恢复日志级别', 'Return to the usual log level'],
  'limits.sweep': ['清理限流计数', 'Forget old counts of rate limits'],
};

export const checkName = (key: string): string => (CHECKS[key] ? say(CHECKS[key]) : key);
export const ruleName = (key: string): string => (RULES[key] ? say(RULES[key].name) : key);
export const ruleAbout = (key: string): string => (RULES[key] ? say(RULES[key].about) : '');
export const channelName = (key: string): string => (CHANNELS[key] ? say(CHANNELS[key]) : key);
export const limitName = (key: string): string => (LIMITS[key] ? say(LIMITS[key].name) : key);
export const taskName = (key: string): string => (TASKS[key] ? say(TASKS[key]) : key);
