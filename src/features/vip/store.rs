//! SQL of membership: grants and what they come to here; plans, monthly points and reminders in files
//! of their own.

pub(super) mod monthly;
pub(super) mod plans;
pub(super) mod reminders;

use super::model::{
    Grant, GrantId, GrantSource, Membership, Rate, StoredGrant, level_of, level_text,
};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// What this order, entry or code granted.
pub(super) fn by_source(tx: &Tx<'_>, source: &GrantSource) -> Result<Option<StoredGrant>, DbError> {
    let (kind, reference) = source.parts();
    tx.query_opt(
        "SELECT id, user_id, source, reference, plan_id, level, duration_ms, price, rate_fen,
                rate_ms, granted_at, revoked_ms, revoked_at
           FROM vip_grants WHERE source = ?1 AND reference = ?2",
        params![kind, reference],
        from_row,
    )
}

/// One grant.
pub(super) fn by_id(tx: &Tx<'_>, id: GrantId) -> Result<Option<StoredGrant>, DbError> {
    tx.query_opt(
        "SELECT id, user_id, source, reference, plan_id, level, duration_ms, price, rate_fen,
                rate_ms, granted_at, revoked_ms, revoked_at
           FROM vip_grants WHERE id = ?1",
        params![id.0],
        from_row,
    )
}

/// All grants of a user in order of time; he has as many as were paid for or given by hand. Uses
/// vip_grants_user_idx.
pub(super) fn of_user(tx: &Tx<'_>, user: UserId) -> Result<Vec<StoredGrant>, DbError> {
    tx.query_all(
        "SELECT id, user_id, source, reference, plan_id, level, duration_ms, price, rate_fen,
                rate_ms, granted_at, revoked_ms, revoked_at
           FROM vip_grants WHERE user_id = ?1 ORDER BY granted_at, id",
        params![user],
        from_row,
    )
}

/// Records a grant.
pub(super) fn insert(
    tx: &Tx<'_>,
    grant: &Grant,
    duration_ms: i64,
    rate: Rate,
    now: UnixMillis,
) -> Result<(), DbError> {
    let (kind, reference) = grant.source.parts();
    tx.insert(
        "INSERT INTO vip_grants (user_id, source, reference, plan_id, level, duration_ms, price,
                                 rate_fen, rate_ms, granted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            grant.user,
            kind,
            reference,
            grant.plan_id,
            level_text(grant.level),
            duration_ms,
            grant.price_fen,
            rate.fen(),
            rate.ms(),
            now
        ],
    )?;
    Ok(())
}

/// Takes so many milliseconds of a grant back, besides those taken before.
pub(super) fn take_back(tx: &Tx<'_>, id: GrantId, ms: i64, now: UnixMillis) -> Result<(), DbError> {
    tx.execute(
        "UPDATE vip_grants SET revoked_ms = revoked_ms + ?2, revoked_at = ?3 WHERE id = ?1",
        params![id.0, ms, now],
    )?;
    Ok(())
}

/// Whether there is such a user, deleted ones included: what they paid for is on record.
pub(super) fn user_exists(tx: &Tx<'_>, user: UserId) -> Result<bool, DbError> {
    Ok(tx.query_opt("SELECT 1 FROM users WHERE id = ?1", params![user], |_| Ok(()))?.is_some())
}

/// Notes with the user what his grants come to.
pub(super) fn set_membership(
    tx: &Tx<'_>,
    user: UserId,
    membership: Membership,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE users SET vip_level = ?2, vip_expire_at = ?3, updated_at = ?4 WHERE id = ?1",
        params![user, level_text(membership.level), membership.expires_at, now],
    )?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<StoredGrant, DbError> {
    let source: String = row.get(2)?;
    let level: String = row.get(5)?;
    Ok(StoredGrant {
        id: GrantId(row.get(0)?),
        user: row.get(1)?,
        source: GrantSource::from_stored(&source, row.get(3)?),
        plan_id: row.get(4)?,
        level: level_of(&level),
        duration_ms: row.get(6)?,
        price_fen: row.get(7)?,
        // The table's CHECKs admit no other rate.
        rate: Rate::new(row.get(8)?, row.get(9)?).ok_or(DbError::NoRow)?,
        granted_at: row.get(10)?,
        revoked_ms: row.get(11)?,
        revoked_at: row.get(12)?,
    })
}
