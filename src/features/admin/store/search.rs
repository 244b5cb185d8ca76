//! Finding a thing by one of its names, each by an index. Of other features' tables this only reads.

use crate::base::ids::UserId;
use crate::db::prelude::*;
use crate::features::admin::model::search::{Hit, HitKind};

/// How many of a kind are shown.
const MOST: i64 = 10;

/// Rows of id, title, user and time.
fn hit(kind: HitKind, matched: &'static str, row: &Row<'_>) -> Result<Hit, DbError> {
    let user: Option<UserId> = row.get(2)?;
    Ok(Hit { kind, id: row.get(0)?, title: row.get(1)?, matched, user, at: row.get(3)? })
}

/// Everything that has this very text for a name.
pub(in crate::features::admin) fn exact(tx: &Tx<'_>, text: &str) -> Result<Vec<Hit>, DbError> {
    let mut all = Vec::new();
    for (kind, matched, sql) in EXACT {
        all.extend(tx.query_all(sql, params![text, MOST], |row| hit(*kind, matched, row))?);
    }
    Ok(all)
}

/// The user of this number.
pub(in crate::features::admin) fn user(tx: &Tx<'_>, id: i64) -> Result<Option<Hit>, DbError> {
    tx.query_opt(
        "SELECT CAST(id AS TEXT), COALESCE(nick_name, ''), id, created_at
           FROM users WHERE id = ?1",
        params![id],
        |row| hit(HitKind::User, "userId", row),
    )
}

/// Users whose nickname begins with `prefix`, whatever its capitals; `end` is behind all that do.
pub(in crate::features::admin) fn by_name(
    tx: &Tx<'_>,
    prefix: &str,
    end: &str,
) -> Result<Vec<Hit>, DbError> {
    tx.query_all(
        "SELECT CAST(id AS TEXT), nick_name, id, created_at FROM users
          WHERE nick_name COLLATE NOCASE >= ?1 AND nick_name COLLATE NOCASE < ?2
          ORDER BY nick_name COLLATE NOCASE, id LIMIT ?3",
        params![prefix, end, MOST],
        |row| hit(HitKind::User, "nickName", row),
    )
}

/// A redeem code.
pub(in crate::features::admin) fn redeem_code(
    tx: &Tx<'_>,
    code: &str,
) -> Result<Option<Hit>, DbError> {
    tx.query_opt(
        "SELECT code, CASE WHEN redeemed_at IS NULL THEN 'UNUSED' ELSE 'USED' END, redeemed_by,
                redeemed_at
           FROM redeem_codes WHERE code = ?1",
        params![code],
        |row| hit(HitKind::RedeemCode, "code", row),
    )
}

/// For each kind and name: ?1 is the text, ?2 how many.
const EXACT: &[(HitKind, &str, &str)] = &[
    (
        HitKind::Order,
        "orderId",
        "SELECT order_id, product_name || ' · ' || status, user_id, created_at
           FROM orders WHERE order_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Order,
        "transactionId",
        "SELECT order_id, product_name || ' · ' || status, user_id, created_at
           FROM orders WHERE transaction_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Order,
        "requestId",
        "SELECT order_id, product_name || ' · ' || status, user_id, created_at
           FROM orders WHERE request_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Refund,
        "refundId",
        "SELECT r.refund_id, r.order_id || ' · ' || r.status, o.user_id, r.created_at
           FROM refunds r JOIN orders o ON o.order_id = r.order_id
          WHERE r.refund_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Refund,
        "wechatRefundId",
        "SELECT r.refund_id, r.order_id || ' · ' || r.status, o.user_id, r.created_at
           FROM refunds r JOIN orders o ON o.order_id = r.order_id
          WHERE r.wechat_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::User,
        "openid",
        "SELECT CAST(id AS TEXT), COALESCE(nick_name, ''), id, created_at
           FROM users WHERE openid = ?1 LIMIT ?2",
    ),
    (
        HitKind::Job,
        "jobId",
        "SELECT job_id, mode || ' ' || resolution || ' · ' || status, user_id, created_at
           FROM generations WHERE job_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Job,
        "upstreamJobId",
        "SELECT job_id, mode || ' ' || resolution || ' · ' || status, user_id, created_at
           FROM generations WHERE upstream_job_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Job,
        "requestId",
        "SELECT job_id, mode || ' ' || resolution || ' · ' || status, user_id, created_at
           FROM generations WHERE request_id = ?1 LIMIT ?2",
    ),
    (
        HitKind::Audit,
        "requestId",
        "SELECT CAST(id AS TEXT), action || ' · ' || object, NULL, at
           FROM audit_log WHERE request_id = ?1 ORDER BY id LIMIT ?2",
    ),
];
