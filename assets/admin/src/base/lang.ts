// Two languages, both written at the place of use: `t('用户', 'Users')`. A text that exists in one
// language only is a compile error, nothing is looked up by key, and nothing is compiled in the
// browser, so that the content policy needs no `unsafe-eval`.
import { ref, watchEffect } from 'vue';
import { recall, remember } from './storage';

export type Lang = 'zh-CN' | 'en';

const KEY = 'admin.lang';

function initial(): Lang {
  const stored = recall(KEY);
  if (stored === 'zh-CN' || stored === 'en') return stored;
  return navigator.language.toLowerCase().startsWith('zh') || !navigator.language ? 'zh-CN' : 'en';
}

export const lang = ref<Lang>(initial());

watchEffect(() => {
  document.documentElement.lang = lang.value;
});

export function setLang(value: Lang): void {
  lang.value = value;
  remember(KEY, value);
}

/** The text in the language of the page; `{name}` is replaced by `args.name`. Reactive where it is used. */
export function t(zh: string, en: string, args?: Record<string, string | number>): string {
  const text = lang.value === 'en' ? en : zh;
  return args ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(args[name] ?? whole)) : text;
}

/** A pair of texts that is kept in a table and chosen when it is shown. */
export type Text = readonly [zh: string, en: string];

export function say(text: Text): string {
  return t(text[0], text[1]);
}
