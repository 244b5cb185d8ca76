// The pages in the order of the side bar. A page is loaded when it is first opened.
import {
  Box, User, UserFilled,
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
    label: ['用户与订单', 'Users and orders'],
    items: [
      { path: '/users', label: ['用户', 'Users'], icon: User, page: () => import('./pages/users/UsersPage.vue') },
    ],
  },
  {
    label: ['系统', 'System'],
    items: [
      { path: '/admins', label: ['管理员', 'Administrators'], icon: UserFilled, page: () => import('./pages/system/AdminsPage.vue') },
      { path: '/audit', label: ['操作记录', 'Audit log'], icon: Box, page: () => import('./pages/system/AuditPage.vue') },
    ],
  },
];
