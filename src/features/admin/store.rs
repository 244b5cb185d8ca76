//! The tables of administrators: `admins`, `admin_sessions`, `admin_recovery_codes`,
//! `admin_login_failures`, `admin_setup`.

pub(super) mod failures;
pub(super) mod home;
pub(super) mod recovery;
pub(super) mod search;
pub(super) mod sessions;
pub(super) mod setup;
pub(super) mod system;
pub(super) mod thing;
pub(super) mod timeline;

use super::model::{AdminAccount, AdminId, Credentials, Role};
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// What somebody of this name logs in with, disabled or not.
pub(super) fn credentials(tx: &Tx<'_>, username: &str) -> Result<Option<Credentials>, DbError> {
    tx.query_opt(
        "SELECT id, username, role, password_hash, totp_sealed, totp_confirmed_at, disabled_at
           FROM admins WHERE username = ?1",
        params![username],
        credentials_from_row,
    )
}

/// The same of a number.
pub(super) fn credentials_of(tx: &Tx<'_>, id: AdminId) -> Result<Option<Credentials>, DbError> {
    tx.query_opt(
        "SELECT id, username, role, password_hash, totp_sealed, totp_confirmed_at, disabled_at
           FROM admins WHERE id = ?1",
        params![id.0],
        credentials_from_row,
    )
}

/// All administrators, the first made first; as many as an operator has.
pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<AdminAccount>, DbError> {
    tx.query_all(
        "SELECT id, username, role, totp_confirmed_at, disabled_at, last_login_at, password_at,
                created_by, created_at
           FROM admins ORDER BY id",
        [],
        account_from_row,
    )
}

pub(super) fn by_id(tx: &Tx<'_>, id: AdminId) -> Result<Option<AdminAccount>, DbError> {
    tx.query_opt(
        "SELECT id, username, role, totp_confirmed_at, disabled_at, last_login_at, password_at,
                created_by, created_at
           FROM admins WHERE id = ?1",
        params![id.0],
        account_from_row,
    )
}

/// A new administrator; `None` when the name is taken.
pub(super) fn insert(
    tx: &Tx<'_>,
    username: &str,
    role: Role,
    password_hash: &Secret<String>,
    created_by: &str,
    now: UnixMillis,
) -> Result<Option<AdminId>, DbError> {
    tx.query_opt(
        "INSERT INTO admins (username, role, password_hash, password_at, created_by, created_at,
                             updated_at)
         VALUES (?1, ?2, ?3, ?5, ?4, ?5, ?5)
         ON CONFLICT (username) DO NOTHING RETURNING id",
        params![username, role.key(), password_hash.expose(), created_by, now],
        |row| Ok(AdminId(row.get(0)?)),
    )
}

/// Whether there is anybody at all.
pub(super) fn is_there_any(tx: &Tx<'_>) -> Result<bool, DbError> {
    tx.query_one("SELECT EXISTS (SELECT 1 FROM admins WHERE id > 0)", [], |row| row.get(0))
}

/// How many owners can act.
pub(super) fn acting_owners(tx: &Tx<'_>) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM admins WHERE role = 'OWNER' AND disabled_at IS NULL",
        [],
        |row| row.get(0),
    )
}

pub(super) fn set_role(
    tx: &Tx<'_>,
    id: AdminId,
    role: Role,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admins SET role = ?2, updated_at = ?3 WHERE id = ?1",
        params![id.0, role.key(), now],
    )
    .map(drop)
}

pub(super) fn set_disabled(
    tx: &Tx<'_>,
    id: AdminId,
    at: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admins SET disabled_at = ?2, updated_at = ?3 WHERE id = ?1",
        params![id.0, at, now],
    )
    .map(drop)
}

pub(super) fn set_password(
    tx: &Tx<'_>,
    id: AdminId,
    hash: &Secret<String>,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admins SET password_hash = ?2, password_at = ?3, updated_at = ?3 WHERE id = ?1",
        params![id.0, hash.expose(), now],
    )
    .map(drop)
}

/// The same password with more rounds: only if nobody has changed it meanwhile.
pub(super) fn renew_hash(
    tx: &Tx<'_>,
    id: AdminId,
    old: &Secret<String>,
    new: &Secret<String>,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admins SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
        params![id.0, old.expose(), new.expose()],
    )
    .map(drop)
}

pub(super) fn note_log_in(tx: &Tx<'_>, id: AdminId, now: UnixMillis) -> Result<(), DbError> {
    tx.execute("UPDATE admins SET last_login_at = ?2 WHERE id = ?1", params![id.0, now]).map(drop)
}

/// Puts a secret in place of one that was not confirmed; says whether that was so.
pub(super) fn propose_totp(
    tx: &Tx<'_>,
    id: AdminId,
    sealed: &[u8],
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE admins SET totp_sealed = ?2, totp_step = 0, updated_at = ?3
          WHERE id = ?1 AND totp_confirmed_at IS NULL",
        params![id.0, sealed, now],
    )?;
    Ok(changed == 1)
}

/// Confirms that secret.
pub(super) fn confirm_totp(
    tx: &Tx<'_>,
    id: AdminId,
    sealed: &[u8],
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE admins SET totp_confirmed_at = ?3, updated_at = ?3
          WHERE id = ?1 AND totp_confirmed_at IS NULL AND totp_sealed = ?2",
        params![id.0, sealed, now],
    )?;
    Ok(changed == 1)
}

/// Takes the second factor away; says whether there was one.
pub(super) fn drop_totp(tx: &Tx<'_>, id: AdminId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE admins SET totp_sealed = NULL, totp_confirmed_at = NULL, updated_at = ?2
          WHERE id = ?1 AND totp_sealed IS NOT NULL",
        params![id.0, now],
    )?;
    Ok(changed == 1)
}

/// The last time step whose code was taken.
pub(super) fn totp_step(tx: &Tx<'_>, id: AdminId) -> Result<i64, DbError> {
    tx.query_one("SELECT totp_step FROM admins WHERE id = ?1", params![id.0], |row| row.get(0))
}

/// Takes a code of this step: of two at once, one wins.
pub(super) fn take_totp_step(tx: &Tx<'_>, id: AdminId, step: i64) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE admins SET totp_step = ?2 WHERE id = ?1 AND totp_step < ?2",
        params![id.0, step],
    )?;
    Ok(changed == 1)
}

fn credentials_from_row(row: &Row<'_>) -> Result<Credentials, DbError> {
    let confirmed_at: Option<UnixMillis> = row.get(5)?;
    let disabled_at: Option<UnixMillis> = row.get(6)?;
    Ok(Credentials {
        id: AdminId(row.get(0)?),
        username: row.get(1)?,
        role: role(row, 2)?,
        password_hash: Secret::new(row.get(3)?),
        totp_sealed: row.get(4)?,
        is_totp_confirmed: confirmed_at.is_some(),
        is_disabled: disabled_at.is_some(),
    })
}

fn account_from_row(row: &Row<'_>) -> Result<AdminAccount, DbError> {
    let confirmed_at: Option<UnixMillis> = row.get(3)?;
    Ok(AdminAccount {
        id: AdminId(row.get(0)?),
        username: row.get(1)?,
        role: role(row, 2)?,
        has_totp: confirmed_at.is_some(),
        disabled_at: row.get(4)?,
        last_login_at: row.get(5)?,
        password_at: row.get(6)?,
        created_by: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// The table has a CHECK: another text is a row that does not belong there.
fn role(row: &Row<'_>, column: usize) -> Result<Role, DbError> {
    let key: String = row.get(column)?;
    Role::by_key(&key).ok_or(DbError::NoRow)
}
