// The pages in the order of the side bar. A page is loaded when it is first opened.
import {
  Bell, Box, ChatLineSquare, Coin, Collection, DataAnalysis, DocumentChecked, Goods, HomeFilled, List, Monitor, Picture,
  PriceTag, RefreshLeft, Setting, Share, Ticket, Tickets, User, UserFilled,
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
  },
  {
    label: ['用户与订单', 'Users and orders'],
    items: [
      { path: '/users', label: ['用户', 'Users'], icon: User, page: () => import('./pages/users/UsersPage.vue') },
    ],
  },
  {
    label: ['商品与规则', 'Products and rules'],
    items: [
      { path: '/settings', pattern: '/settings/:section?', label: ['价格、额度与设置', 'Prices, quotas, settings'], icon: Setting, page: () => import('./pages/products/SettingsPage.vue') },
    ],
  },
  {
    label: ['生图', 'Images'],
    items: [
    ],
  },
  {
    label: ['内容', 'Content'],
    items: [
      { path: '/review', label: ['图片审核', 'Review'], icon: Picture, page: () => import('./pages/content/ReviewPage.vue') },
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
