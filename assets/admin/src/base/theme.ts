// Light or dark. The first paint is decided by public/theme.js, by the same rule.
import { ref } from 'vue';
import { recall, remember } from './storage';

export type Theme = 'light' | 'dark' | 'auto';

const KEY = 'admin.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme {
  const value = recall(KEY);
  return value === 'light' || value === 'dark' ? value : 'auto';
}

export const theme = ref<Theme>(stored());
export const isDark = ref(false);

function apply(): void {
  isDark.value = theme.value === 'dark' || (theme.value === 'auto' && system.matches);
  document.documentElement.classList.toggle('dark', isDark.value);
}

export function setTheme(value: Theme): void {
  theme.value = value;
  remember(KEY, value);
  apply();
}

system.addEventListener('change', apply);
apply();
