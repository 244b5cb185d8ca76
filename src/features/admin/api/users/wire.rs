//! Wire types of users.

use poem_openapi::{Enum, Object};

use super::super::csv::{Sheet, or_empty};
use super::super::list::shown;
use crate::base::time::UnixMillis;
use crate::features::auth::SessionRecord;
use crate::features::generations::Quota;
use crate::features::orders::Spent;
use crate::features::points::{Totals, Transaction, TransactionType};
use crate::features::users::service::browse;
use crate::features::users::{AccountState, ShownLevel, UserRecord, masked_phone};
use crate::features::vip::{GrantSource, Membership, StoredGrant};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(in super::super) enum UserState {
    Active,
    Banned,
    Deleted,
}

impl From<UserState> for AccountState {
    fn from(state: UserState) -> Self {
        match state {
            UserState::Active => Self::Active,
            UserState::Banned => Self::Banned,
            UserState::Deleted => Self::Deleted,
        }
    }
}

impl From<AccountState> for UserState {
    fn from(state: AccountState) -> Self {
        match state {
            AccountState::Active => Self::Active,
            AccountState::Banned => Self::Banned,
            AccountState::Deleted => Self::Deleted,
        }
    }
}

/// A user, as administrators see him.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminUser {
    id: i64,
    /// Null of a deleted one.
    openid: Option<String>,
    nick_name: Option<String>,
    avatar_url: Option<String>,
    /// Masked.
    phone: Option<String>,
    /// As it counts now.
    level: ShownLevel,
    vip_expire_at: Option<String>,
    points_balance: i64,
    /// The user who brought him.
    invited_by: Option<i64>,
    state: UserState,
    banned_at: Option<String>,
    deleted_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl AdminUser {
    pub(super) fn sheet() -> Sheet<UserRecord, [i64; 2]> {
        Sheet {
            name: "users.csv",
            columns: &[
                "id",
                "openid",
                "nickName",
                "level",
                "vipExpireAt",
                "points",
                "state",
                "createdAt",
            ],
            keys: browse::keys,
            record: |user| {
                vec![
                    user.id.to_string(),
                    or_empty(user.openid.as_ref()),
                    or_empty(user.nick_name.as_ref()),
                    super::list::level_name(user.level).to_owned(),
                    or_empty(shown(user.vip_expire_at)),
                    user.points_balance.to_string(),
                    match user.state() {
                        AccountState::Active => "ACTIVE",
                        AccountState::Banned => "BANNED",
                        AccountState::Deleted => "DELETED",
                    }
                    .to_owned(),
                    user.created_at.rfc3339(),
                ]
            },
        }
    }
}

impl From<UserRecord> for AdminUser {
    fn from(user: UserRecord) -> Self {
        Self {
            id: user.id.0,
            state: user.state().into(),
            openid: user.openid,
            nick_name: user.nick_name,
            avatar_url: user.avatar_url,
            phone: user.phone.as_deref().map(masked_phone),
            level: user.level.into(),
            vip_expire_at: shown(user.vip_expire_at),
            points_balance: user.points_balance,
            invited_by: user.invited_by.map(|id| id.0),
            banned_at: shown(user.banned_at),
            deleted_at: shown(user.deleted_at),
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
        }
    }
}

/// What a user is called.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct UserName {
    id: i64,
    /// Null where he has given none, or is gone.
    nick_name: Option<String>,
    avatar_url: Option<String>,
}

impl From<UserRecord> for UserName {
    fn from(user: UserRecord) -> Self {
        Self { id: user.id.0, nick_name: user.nick_name, avatar_url: user.avatar_url }
    }
}

/// What users are called.
#[derive(Debug, Object)]
pub(in super::super) struct UserNames {
    pub(super) items: Vec<UserName>,
}

/// A user with everything that is not a list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminUserDetail {
    user: AdminUser,
    points: AdminPointsTotals,
    membership: MembershipState,
    /// In order of time, those that were taken back included.
    grants: Vec<MembershipGrant>,
    /// Null of a deleted one.
    quota: Option<AdminQuota>,
    spent: AdminSpent,
}

/// What a user's ledger comes to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminPointsTotals {
    balance: i64,
    earned: i64,
    spent: i64,
    refunded: i64,
}

/// A membership as it is at a moment.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct MembershipState {
    level: ShownLevel,
    expires_at: Option<String>,
}

impl From<Membership> for MembershipState {
    fn from(membership: Membership) -> Self {
        Self { level: membership.level.into(), expires_at: shown(membership.expires_at) }
    }
}

/// A grant of membership.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct MembershipGrant {
    id: i64,
    /// `order`, `admin` or `code`.
    source: String,
    /// The order, the administrator's request, or the code.
    reference: String,
    plan_id: Option<String>,
    level: ShownLevel,
    days: f64,
    /// Days that were taken back.
    revoked_days: f64,
    /// In fen; null of a gift.
    price: Option<i64>,
    granted_at: String,
    revoked_at: Option<String>,
}

impl From<StoredGrant> for MembershipGrant {
    fn from(grant: StoredGrant) -> Self {
        let (source, reference) = match grant.source {
            GrantSource::Order(order) => ("order", order),
            GrantSource::Admin(request) => ("admin", request),
            GrantSource::Code(code) => ("code", code),
        };
        Self {
            id: grant.id.0,
            source: source.to_owned(),
            reference,
            plan_id: grant.plan_id,
            level: grant.level.into(),
            days: days(grant.duration_ms),
            revoked_days: days(grant.revoked_ms),
            price: grant.price_fen,
            granted_at: grant.granted_at.rfc3339(),
            revoked_at: shown(grant.revoked_at),
        }
    }
}

/// Days for showing, to two decimals.
fn days(ms: i64) -> f64 {
    // Both are small: a grant lasts a hundred years at most, and a day is what it is.
    let small = |part: i64| f64::from(i32::try_from(part).unwrap_or(i32::MAX));
    let hundredths = small(ms / DAY_MS) * 100.0 + (small(ms % DAY_MS) / 864_000.0).round();
    hundredths / 100.0
}

/// Free pictures, as of today (Asia/Shanghai).
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminQuota {
    daily_limit: Option<i64>,
    today_used: i64,
    today_remaining: Option<i64>,
    monthly_limit: Option<i64>,
    month_used: i64,
    /// Jobs that ever succeeded.
    total_generations: i64,
}

/// What a user's paid orders come to, in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminSpent {
    orders: i64,
    paid: i64,
    refunded: i64,
}

impl AdminUserDetail {
    pub(super) fn new(
        user: UserRecord,
        totals: Totals,
        membership: Membership,
        grants: Vec<StoredGrant>,
        spent: Spent,
        quota: Option<Quota>,
    ) -> Self {
        let Totals { balance, earned, spent: used, refunded, .. } = totals;
        Self {
            user: user.into(),
            points: AdminPointsTotals { balance, earned, spent: used, refunded },
            membership: membership.into(),
            grants: grants.into_iter().map(MembershipGrant::from).collect(),
            quota: quota.map(|quota| AdminQuota {
                daily_limit: quota.daily_limit,
                today_used: quota.today_used,
                today_remaining: quota.today_remaining,
                monthly_limit: quota.monthly_limit,
                month_used: quota.month_used,
                total_generations: quota.total_generations,
            }),
            spent: AdminSpent { orders: spent.orders, paid: spent.paid, refunded: spent.refunded },
        }
    }
}

/// The direction of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(in super::super) enum LedgerType {
    Earn,
    Spend,
    Refund,
}

impl From<LedgerType> for TransactionType {
    fn from(kind: LedgerType) -> Self {
        match kind {
            LedgerType::Earn => Self::Earn,
            LedgerType::Spend => Self::Spend,
            LedgerType::Refund => Self::Refund,
        }
    }
}

impl From<TransactionType> for LedgerType {
    fn from(kind: TransactionType) -> Self {
        match kind {
            TransactionType::Earn => Self::Earn,
            TransactionType::Spend => Self::Spend,
            TransactionType::Refund => Self::Refund,
        }
    }
}

/// A row of a ledger.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct LedgerRow {
    id: i64,
    #[oai(rename = "type")]
    kind: LedgerType,
    /// Positive; a `SPEND` takes it.
    amount: i64,
    description: String,
    reason: String,
    /// What it is about: an order, a job, a day.
    reference: Option<String>,
    balance_after: i64,
    created_at: String,
}

impl LedgerRow {
    pub(super) fn keys(row: &Transaction) -> [i64; 2] {
        [row.created_at.0, row.id]
    }

    pub(super) fn sheet() -> Sheet<Transaction, [i64; 2]> {
        Sheet {
            name: "points.csv",
            columns: &[
                "id",
                "createdAt",
                "type",
                "amount",
                "balanceAfter",
                "reason",
                "reference",
                "description",
            ],
            keys: Self::keys,
            record: |row| {
                vec![
                    row.id.to_string(),
                    row.created_at.rfc3339(),
                    row.kind.as_str().to_owned(),
                    row.amount.to_string(),
                    row.balance_after.to_string(),
                    row.reason.clone(),
                    or_empty(row.reference.as_ref()),
                    row.description.clone(),
                ]
            },
        }
    }
}

impl From<Transaction> for LedgerRow {
    fn from(row: Transaction) -> Self {
        Self {
            id: row.id,
            kind: row.kind.into(),
            amount: row.amount,
            description: row.description,
            reason: row.reason,
            reference: row.reference,
            balance_after: row.balance_after,
            created_at: row.created_at.rfc3339(),
        }
    }
}

/// A session of a user.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminUserSession {
    created_at: String,
    /// When its tokens were last renewed.
    refreshed_at: Option<String>,
    /// When it ends by itself.
    expires_at: Option<String>,
    /// When it was ended.
    ended_at: Option<String>,
}

impl From<SessionRecord> for AdminUserSession {
    fn from(session: SessionRecord) -> Self {
        Self {
            created_at: session.created_at.rfc3339(),
            refreshed_at: session.refreshed_at.map(UnixMillis::rfc3339),
            expires_at: shown(session.expires_at),
            ended_at: shown(session.ended_at),
        }
    }
}

/// The sessions of a user.
#[derive(Debug, Object)]
pub(in super::super) struct AdminUserSessions {
    pub(super) items: Vec<AdminUserSession>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_two_decimals_up_to_a_hundred_years() {
        assert_eq!([days(0), days(30 * DAY_MS), days(36_500 * DAY_MS)], [0.0, 30.0, 36_500.0]);
        assert_eq!(days(DAY_MS + DAY_MS / 4), 1.25);
    }
}
