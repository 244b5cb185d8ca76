// The pages in the order of the side bar. A page is loaded when it is first opened.
import {
  Bell, Box, ChatLineSquare, Coin, Collection, DataAnalysis, DocumentChecked, Goods, HomeFilled, List, Message,
  Monitor, Picture, PriceTag, RefreshLeft, Setting, Share, Ticket, Tickets, User, UserFilled,
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
    label: ['用户与订单', 'Users and orders'],
    items: [
      { path: '/users', label: ['用户', 'Users'], icon: User, page: () => import('./pages/users/UsersPage.vue') },
      { path: '/orders', pattern: '/orders/:id?', label: ['订单', 'Orders'], icon: Tickets, page: () => import('./pages/orders/OrdersPage.vue') },
      { path: '/refunds', label: ['退款', 'Refunds'], icon: RefreshLeft, page: () => import('./pages/orders/RefundsPage.vue') },
      { path: '/payment-events', label: ['支付通知', 'Payment notices'], icon: Message, page: () => import('./pages/orders/EventsPage.vue') },
      { path: '/reconciliation', pattern: '/reconciliation/:tab?', label: ['对账', 'Reconciliation'], icon: DocumentChecked, page: () => import('./pages/money/ReconciliationPage.vue') },
      { path: '/report', label: ['收入报表', 'Revenue'], icon: DataAnalysis, page: () => import('./pages/money/ReportPage.vue') },
      { path: '/books', label: ['账目核对', 'Books'], icon: Coin, page: () => import('./pages/money/BooksPage.vue') },
    ],
  },
  {
    label: ['商品与规则', 'Products and rules'],
    items: [
      { path: '/plans', label: ['套餐与积分包', 'Plans and packs'], icon: Goods, page: () => import('./pages/products/PlansPage.vue') },
      { path: '/settings', pattern: '/settings/:section?', label: ['价格、额度与设置', 'Prices and settings'], icon: Setting, page: () => import('./pages/products/SettingsPage.vue') },
      { path: '/codes', label: ['兑换码', 'Redeem codes'], icon: Ticket, page: () => import('./pages/products/CodesPage.vue') },
    ],
  },
  {
    label: ['生图', 'Images'],
    items: [
      { path: '/jobs', pattern: '/jobs/:id?', label: ['任务', 'Jobs'], icon: List, page: () => import('./pages/jobs/JobsPage.vue') },
      { path: '/upstreams', label: ['生图服务', 'Image APIs'], icon: Share, page: () => import('./pages/jobs/UpstreamsPage.vue') },
    ],
  },
  {
    label: ['内容', 'Content'],
    items: [
      { path: '/review', label: ['图片审核', 'Review'], icon: Picture, page: () => import('./pages/content/ReviewPage.vue') },
      { path: '/words', label: ['敏感词', 'Word list'], icon: ChatLineSquare, page: () => import('./pages/content/WordsPage.vue') },
      { path: '/templates', label: ['模板', 'Templates'], icon: Collection, page: () => import('./pages/content/TemplatesPage.vue') },
      { path: '/categories', label: ['分类', 'Categories'], icon: PriceTag, page: () => import('./pages/content/CategoriesPage.vue') },
      { path: '/announcement', label: ['公告', 'Announcement'], icon: Bell, page: () => import('./pages/content/AnnouncementPage.vue') },
    ],
  },
  {
    label: ['系统', 'System'],
    items: [
      { path: '/system', pattern: '/system/:tab?', label: ['运行状态', 'System'], icon: Monitor, page: () => import('./pages/system/SystemPage.vue') },
      { path: '/admins', label: ['管理员', 'Administrators'], icon: UserFilled, page: () => import('./pages/system/AdminsPage.vue') },
      { path: '/audit', label: ['操作记录', 'Audit log'], icon: Box, page: () => import('./pages/system/AuditPage.vue') },
    ],
  },
];
