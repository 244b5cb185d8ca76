// Addresses behind `#`: the server has one page to hand out, and needs no rule for the rest.
import { createRouter, createWebHashHistory, type RouteRecordRaw } from 'vue-router';
import { GROUPS } from './nav';
import { known, load, me } from './session';

const pages: RouteRecordRaw[] = GROUPS.flatMap((group) => group.items).map((item) => ({
  path: item.pattern ?? item.path,
  component: item.page,
}));

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/login', component: () => import('./pages/LoginPage.vue'), meta: { open: true } },
    { path: '/setup', component: () => import('./pages/SetupPage.vue'), meta: { open: true } },
    ...pages,
    { path: '/account', component: () => import('./pages/AccountPage.vue') },
    { path: '/:rest(.*)*', component: () => import('./pages/LostPage.vue') },
  ],
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
});

router.beforeEach(async (to) => {
  if (to.meta['open']) return true;
  if (!known.value) await load();
  return me.value ? true : { path: '/login', query: to.path === '/' ? {} : { next: to.fullPath } };
});
