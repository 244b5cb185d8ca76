/** What has become of an account, from the times that say so. */
export function accountState(user: { bannedAt?: string | null; deletedAt?: string | null }): 'ACTIVE' | 'BANNED' | 'DELETED' {
  return user.deletedAt ? 'DELETED' : user.bannedAt ? 'BANNED' : 'ACTIVE';
}
