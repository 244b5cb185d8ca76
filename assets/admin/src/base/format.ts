// How numbers, money and times are written. Times are shown in Asia/Shanghai, whose calendar days the
// business counts in, wherever the administrator happens to be. Money arrives in fen.
import { lang, say, t, type Text } from './lang';

const ZONE = 'Asia/Shanghai';
const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function cached<F extends Intl.NumberFormat | Intl.DateTimeFormat>(name: string, make: () => F): F {
  const key = `${lang.value}:${name}`;
  const known = formats.get(key);
  if (known) return known as F;
  const made = make();
  formats.set(key, made);
  return made;
}

/** 1,234,567 */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return cached('count', () => new Intl.NumberFormat(lang.value, { maximumFractionDigits: 2 })).format(value);
}

/** Fen as yuan: 1234 is ¥12.34. */
export function money(fen: number | null | undefined): string {
  if (fen === null || fen === undefined) return '–';
  const sign = fen < 0 ? '−' : '';
  return `${sign}¥${cached('money', () => new Intl.NumberFormat(lang.value, { minimumFractionDigits: 2, maximumFractionDigits: 2 })).format(Math.abs(fen) / 100)}`;
}

/** With its sign, for changes of a balance: +10, −4. */
export function signed(value: number): string {
  return value > 0 ? `+${count(value)}` : value < 0 ? `−${count(-value)}` : '0';
}

/** A share between 0 and 1 as a percentage. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return '–';
  return cached('percent', () => new Intl.NumberFormat(lang.value, { style: 'percent', maximumFractionDigits: 1 })).format(share);
}

function parts(at: Date, name: string, options: Intl.DateTimeFormatOptions): Record<string, string> {
  const format = cached(name, () => new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hourCycle: 'h23', ...options }));
  return Object.fromEntries((format as Intl.DateTimeFormat).formatToParts(at).map((part) => [part.type, part.value]));
}

const FULL: Intl.DateTimeFormatOptions = {
  year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
};

/** 2026-01-29 12:00:05 */
export function time(at: string | number | null | undefined): string {
  if (at === null || at === undefined || at === '') return '–';
  const p = parts(new Date(at), 'full', FULL);
  return `${p['year']}-${p['month']}-${p['day']} ${p['hour']}:${p['minute']}:${p['second']}`;
}

/** 2026-01-29, the calendar day in Asia/Shanghai. */
export function day(at: string | number | Date | null | undefined): string {
  if (at === null || at === undefined || at === '') return '–';
  const p = parts(new Date(at), 'full', FULL);
  return `${p['year']}-${p['month']}-${p['day']}`;
}

/** Every calendar day from one to another, both included. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** "3 minutes ago"; beyond a week the day. */
export function ago(at: string | number | null | undefined, now: number): string {
  if (at === null || at === undefined || at === '') return '–';
  const seconds = Math.round((now - new Date(at).getTime()) / 1000);
  const future = seconds < 0;
  const n = Math.abs(seconds);
  if (n < 45) return t('刚刚', 'just now');
  const [amount, zh, en] =
    n < 3600 ? [Math.round(n / 60), '分钟', 'min'] : n < 86_400 ? [Math.round(n / 3600), '小时', 'h'] : [Math.round(n / 86_400), '天', 'd'];
  if (amount > 7 && zh === '天') return day(at);
  return future ? t(`${amount} ${zh}后`, `in ${amount} ${en}`) : t(`${amount} ${zh}前`, `${amount} ${en} ago`);
}

/** Milliseconds as what a person would say: 340 ms, 12.3 s, 4 min 10 s. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${Number(s.toFixed(s < 10 ? 1 : 0))} s`;
  if (s < 3600) return both(Math.round(s), 60, ['分', 'min'], ['秒', 's']);
  if (s < 172_800) return both(Math.round(s / 60), 60, ['小时', 'h'], ['分', 'min']);
  return t(`${Math.floor(s / 86_400)} 天`, `${Math.floor(s / 86_400)} d`);
}

/** What the server takes for a plan "for life", in days. */
export const LIFETIME_DAYS = 36_500;

/** The days of a plan or of what it granted. */
export function term(days: number): string {
  return days >= LIFETIME_DAYS ? t('永久', 'Lifetime') : t('{n} 天', '{n} days', { n: count(days) });
}

/** Two units, the smaller one left out where there is none of it: 4 min 10 s, 10 min. */
function both(n: number, base: number, large: Text, small: Text): string {
  const rest = n % base;
  return `${Math.floor(n / base)} ${say(large)}${rest ? ` ${rest} ${say(small)}` : ''}`;
}

/** Bytes in binary units, as `ls -h` writes them. */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = n;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** Yuan as typed by a person into fen; `null` when it is not an amount with at most two decimals. */
export function fenOf(yuan: string): number | null {
  const match = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(yuan.trim());
  if (!match) return null;
  return Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
}

/** Fen as a plain number of yuan, for an input. */
export function yuanOf(fen: number): string {
  return (fen / 100).toFixed(2);
}
