// Who is logged in, and what that role may do. The server enforces it; the page only does not offer
// what would be refused, and says why.
import { computed, ref, shallowRef } from 'vue';
import { api, hooks, ok } from './api/client';
import { Failure } from './api/failure';
import type { components } from './api/schema';
import { ask } from './base/ask';
import { t } from './base/lang';
import { word } from './base/words';

export type Me = components['schemas']['Me'];
export type Role = Me['role'];

const RANK: Record<Role, number> = { viewer: 0, content: 1, operator: 2, owner: 3 };

export const me = shallowRef<Me | null>(null);
/** The first question "who am I" has been answered. */
export const known = ref(false);

export function may(role: Role): boolean {
  return me.value !== null && RANK[me.value.role] >= RANK[role];
}

/** Why something is not offered; `undefined` when it is. */
export function whyNot(role: Role): string | undefined {
  return may(role) ? undefined : t('需要「{r}」或更高的角色', 'Needs the role {r} or above', { r: word('role', role) });
}

export const roleName = computed(() => word('role', me.value?.role));

/** Asks the server who this is. */
export async function load(): Promise<void> {
  try {
    me.value = await ok(api.GET('/session'));
  } catch (error) {
    if (!(error instanceof Failure && error.status === 401)) throw error;
    me.value = null;
  } finally {
    known.value = true;
  }
}

export async function logIn(username: string, password: string, code: string): Promise<void> {
  await ok(api.POST('/session/login', { body: { username, password, ...(code ? { code } : {}) } }));
  await load();
}

export async function logOut(): Promise<void> {
  await ok(api.POST('/session/logout'));
  me.value = null;
}

let asking: Promise<boolean> | null = null;

/** One question at a time, however many calls wait for its answer. */
hooks.stepUp = () => {
  asking ??= ask({
    title: t('请再次确认是您本人', 'Confirm that it is you'),
    intro: t('涉及资金和密钥的操作需要再次验证，五分钟内有效。', 'Money and secrets need this once more; it holds for five minutes.'),
    confirm: t('确认', 'Confirm'),
    fields: [
      { key: 'password', label: t('密码', 'Password'), type: 'password', autocomplete: 'current-password' },
      ...(me.value?.hasTotp
        ? [{ key: 'code', label: t('或动态验证码', 'or authenticator code'), type: 'text' as const, autocomplete: 'one-time-code' }]
        : []),
    ],
    submit: async ({ password, code }) => {
      await ok(api.POST('/session/step-up', { body: { ...(password ? { password: String(password) } : {}), ...(code ? { code: String(code) } : {}) } }));
    },
  }).finally(() => {
    asking = null;
  });
  return asking;
};
