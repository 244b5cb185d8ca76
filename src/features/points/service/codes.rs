//! Redeem codes, as an administrator hands them out.

use serde_json::{Value, json};

use crate::app::App;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::points::model::{
    Batch, BatchId, BatchRecord, CodeRecord, PointsError, normal_code,
};
use crate::features::points::store;

/// Makes a batch of codes, with the entry in the audit log, which does not hold the codes.
///
/// # Errors
/// As [`create_batch`](super::redeem::create_batch).
pub async fn create(
    app: &App,
    batch: Batch,
    actor: Actor,
) -> Result<(BatchId, Vec<String>), PointsError> {
    super::redeem::create_batch_noted(app, batch, Some(actor)).await
}

/// A part of the batches, the newest first, behind the one of this number.
///
/// # Errors
/// What the database fails with.
pub async fn batches(
    app: &App,
    before: Option<i64>,
    fetch: i64,
) -> Result<Vec<BatchRecord>, DbError> {
    let before = before.unwrap_or(i64::MAX);
    app.db.read("points.batches", move |tx| store::redeem::batches(tx, before, fetch)).await
}

/// A batch.
///
/// # Errors
/// `BatchNotFound`, and what the database fails with.
pub fn batch(app: &App, id: BatchId) -> Result<BatchRecord, PointsError> {
    let behind = id.0.saturating_add(1);
    let found = app.db.read_inline("points.batch", |tx| store::redeem::batches(tx, behind, 1))?;
    found.into_iter().find(|batch| batch.id == id).ok_or(PointsError::BatchNotFound)
}

/// A part of the codes of a batch, behind this one, in the order of codes.
///
/// # Errors
/// What the database fails with.
pub async fn of_batch(
    app: &App,
    id: BatchId,
    after: Option<String>,
    fetch: i64,
) -> Result<Vec<CodeRecord>, DbError> {
    let after = after.unwrap_or_default();
    app.db.read("points.codes", move |tx| store::redeem::codes(tx, id, &after, fetch)).await
}

/// A code, however it is typed.
///
/// # Errors
/// `CodeNotFound`, and what the database fails with.
pub fn find(app: &App, typed: &str) -> Result<CodeRecord, PointsError> {
    let code = normal_code(typed).ok_or(PointsError::CodeNotFound)?;
    let found = app.db.read_inline("points.code", |tx| store::redeem::code(tx, &code))?;
    found.ok_or(PointsError::CodeNotFound)
}

/// No code of the batch can be used from now on; what was used stays. Repeated it changes nothing.
///
/// # Errors
/// `BatchNotFound`, and what the database fails with.
pub async fn revoke_batch(
    app: &App,
    id: BatchId,
    actor: Actor,
    reason: String,
) -> Result<(), PointsError> {
    let before = batch(app, id)?;
    let now = app.clock.now();
    app.db
        .write("points.revoke_batch", move |tx| {
            if !store::redeem::revoke_batch(tx, id, now)? {
                return Ok(());
            }
            let entry = AuditEntry {
                actor,
                action: "codes.revoked",
                object: format!("code_batch:{}", id.0),
                before: json!({ "codes": before.codes, "redeemed": before.redeemed }),
                after: json!({ "revokedAt": now.rfc3339(), "reason": reason }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await
}

/// The code cannot be used from now on.
///
/// # Errors
/// `CodeNotFound`; `CodeSpent` when it was used; what the database fails with.
pub async fn revoke(
    app: &App,
    typed: &str,
    actor: Actor,
    reason: String,
) -> Result<(), PointsError> {
    let found = find(app, typed)?;
    let now = app.clock.now();
    app.db
        .write("points.revoke_code", move |tx: &Tx<'_>| {
            if !store::redeem::revoke_code(tx, &found.code, now)? {
                let now_is = store::redeem::code(tx, &found.code)?;
                let is_used = now_is.is_none_or(|code| code.redeemed_by.is_some());
                return if is_used { Err(PointsError::CodeSpent) } else { Ok(()) };
            }
            // A code is worth money until it is used or revoked; now the log may name it.
            let entry = AuditEntry {
                actor,
                action: "code.revoked",
                object: format!("code_batch:{}", found.batch.0),
                before: Value::Null,
                after: json!({ "code": found.code, "reason": reason }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await
}
