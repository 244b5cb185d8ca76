// The pages in the order of the side bar. A page is loaded when it is first opened.
import {
  Box, HomeFilled, UserFilled,
} from '@element-plus/icons-vue';
import type { Component } from 'vue';
import type { Text } from './base/lang';

export interface NavItem {
  path: string;
  /** Path pattern where it is more than `path`. */
  pattern?: string;
  label: Text;
  icon: Component;
  page: () => Promise<Component>;
}

export interface NavGroup {
  label: Text | null;
  items: NavItem[];
}

export const GROUPS: NavGroup[] = [
  {
    label: null,
    items: [{ path: '/', label: ['首页', 'Home'], icon: HomeFilled, page: () => import('./pages/home/HomePage.vue') }],
  },
  {
    label: ['系统', 'System'],
    items: [
      { path: '/admins', label: ['管理员', 'Administrators'], icon: UserFilled, page: () => import('./pages/system/AdminsPage.vue') },
      { path: '/audit', label: ['操作记录', 'Audit log'], icon: Box, page: () => import('./pages/system/AuditPage.vue') },
    ],
  },
];
