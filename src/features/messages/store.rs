//! The `messages` and `message_consents` tables.

use serde_json::{Map, Value};

use super::model::{Consents, MessageKind, Waiting};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Adds a consent, up to `most`; gives how many there are.
pub(super) fn add_consent(
    tx: &Tx<'_>,
    user: UserId,
    kind: MessageKind,
    most: i64,
    now: UnixMillis,
) -> Result<i64, DbError> {
    tx.query_one(
        "INSERT INTO message_consents (user_id, kind, consents, updated_at) VALUES (?1, ?2, 1, ?4)
         ON CONFLICT (user_id, kind) DO UPDATE SET
           consents = MIN(message_consents.consents + 1, ?3), updated_at = excluded.updated_at
         RETURNING consents",
        params![user, kind.as_str(), most, now],
        |row| row.get(0),
    )
}

/// Uses up a consent; `false` when there is none.
pub(super) fn use_consent(
    tx: &Tx<'_>,
    user: UserId,
    kind: MessageKind,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let used = tx.execute(
        "UPDATE message_consents SET consents = consents - 1, updated_at = ?3
          WHERE user_id = ?1 AND kind = ?2 AND consents > 0",
        params![user, kind.as_str(), now],
    )?;
    Ok(used == 1)
}

/// Forgets the consents of a kind: WeChat says that there are none.
pub(super) fn drop_consents(
    tx: &Tx<'_>,
    user: UserId,
    kind: MessageKind,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE message_consents SET consents = 0, updated_at = ?3
          WHERE user_id = ?1 AND kind = ?2",
        params![user, kind.as_str(), now],
    )?;
    Ok(())
}

/// A user's consents; a kind may be missing.
pub(super) fn consents(tx: &Tx<'_>, user: UserId) -> Result<Vec<Consents>, DbError> {
    tx.query_all(
        "SELECT kind, consents FROM message_consents WHERE user_id = ?1",
        params![user],
        |row| {
            let kind: String = row.get(0)?;
            Ok(Consents { kind: MessageKind::from_stored(&kind), left: row.get(1)? })
        },
    )
}

/// How many messages wait, counted up to `most`. Uses messages_due_idx.
pub(super) fn count_waiting(tx: &Tx<'_>, most: i64) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM
           (SELECT 1 FROM messages WHERE state = 'WAITING' AND due_at > 0 LIMIT ?1)",
        params![most],
        |row| row.get(0),
    )
}

/// Notes a message; `false` when it was noted before.
pub(super) fn insert(
    tx: &Tx<'_>,
    user: UserId,
    kind: MessageKind,
    reference: &str,
    details: &Map<String, Value>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    // A map with text keys always serialises.
    let details = serde_json::to_string(details).unwrap_or_else(|_| "{}".to_owned());
    let added = tx.execute(
        "INSERT INTO messages (user_id, kind, reference, details, due_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (kind, reference) DO NOTHING",
        params![user, kind.as_str(), reference, details, now],
    )?;
    Ok(added == 1)
}

/// Whether a message of this kind about this was noted.
pub(super) fn exists(tx: &Tx<'_>, kind: MessageKind, reference: &str) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM messages WHERE kind = ?1 AND reference = ?2",
        params![kind.as_str(), reference],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Messages whose time has come, the longest due first. Uses messages_due_idx.
pub(super) fn due(tx: &Tx<'_>, now: UnixMillis, limit: i64) -> Result<Vec<Waiting>, DbError> {
    tx.query_all(
        "SELECT id, user_id, kind, details, attempts, created_at FROM messages
          WHERE state = 'WAITING' AND due_at > 0 AND due_at <= ?1 ORDER BY due_at LIMIT ?2",
        params![now, limit],
        |row| {
            let (kind, details): (String, String) = (row.get(2)?, row.get(3)?);
            Ok(Waiting {
                id: row.get(0)?,
                user: row.get(1)?,
                kind: MessageKind::from_stored(&kind),
                // The table's CHECK admits objects only.
                details: serde_json::from_str(&details).unwrap_or_default(),
                attempts: row.get(4)?,
                created_at: row.get(5)?,
            })
        },
    )
}

/// A message is about to be sent; `false` when it does not wait any more.
pub(super) fn begin(tx: &Tx<'_>, id: i64) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE messages SET state = 'SENDING', attempts = attempts + 1
          WHERE id = ?1 AND state = 'WAITING'",
        params![id],
    )?;
    Ok(changed == 1)
}

/// A message waits again: WeChat has not taken it.
pub(super) fn wait_again(tx: &Tx<'_>, id: i64, due_at: UnixMillis) -> Result<(), DbError> {
    tx.execute(
        "UPDATE messages SET state = 'WAITING', due_at = ?2 WHERE id = ?1 AND state = 'SENDING'",
        params![id, due_at],
    )?;
    Ok(())
}

/// A message has ended: `SENT` or `DROPPED`, and why.
pub(super) fn end(tx: &Tx<'_>, id: i64, state: &str, outcome: &str) -> Result<(), DbError> {
    tx.execute(
        "UPDATE messages SET state = ?2, outcome = ?3, details = '{}'
          WHERE id = ?1 AND state IN ('WAITING', 'SENDING')",
        params![id, state, outcome],
    )?;
    Ok(())
}

/// Forgets some of the messages of before `before`; says how many. Uses messages_created_idx.
pub(super) fn sweep(tx: &Tx<'_>, before: UnixMillis, limit: i64) -> Result<usize, DbError> {
    tx.execute(
        "DELETE FROM messages WHERE id IN
           (SELECT id FROM messages WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
        params![before, limit],
    )
}

/// Removes everything about a user.
pub(super) fn forget(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    tx.execute("DELETE FROM messages WHERE user_id = ?1", params![user])?;
    tx.execute("DELETE FROM message_consents WHERE user_id = ?1", params![user])?;
    Ok(())
}
