//! Redeem codes: making them, using them.

use serde_json::{Value, json};

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::points::model::{
    Batch, BatchId, Entry, PointsError, Reason, Redeemed, check_amount, draw_redeem_code,
    normal_code,
};
use crate::features::points::store;

/// The most codes in one batch: it is one transaction.
const BATCH_MAX: u32 = 10_000;

/// Uses the code up and credits what it gives. `answer` renders it, to be stored with it.
///
/// # Errors
/// `CodeNotFound`; `CodeSpent` when it was used (of many at once one wins) or has expired;
/// `NoSuchUser`; what the database fails with.
pub(in crate::features::points) async fn redeem(
    app: &App,
    user: UserId,
    typed: &str,
    ticket: Ticket,
    answer: fn(&Redeemed) -> Answer,
) -> Result<Answer, PointsError> {
    let now = app.clock.now();
    let code = normal_code(typed).ok_or(PointsError::CodeNotFound)?;
    let answer = app
        .db
        .write("points.redeem", move |tx| {
            let Some(earned) = store::redeem::claim(tx, &code, user, now)? else {
                let was_one = store::redeem::exists(tx, &code)?;
                let err = if was_one { PointsError::CodeSpent } else { PointsError::CodeNotFound };
                return Err(err);
            };
            let entry = Entry {
                user,
                amount: earned,
                reason: Reason::Redeem,
                reference: code,
                description: "兑换码".to_owned(),
            };
            let balance = super::earn(tx, &entry, now)?;
            let answer = answer(&Redeemed { balance, earned });
            idempotency::service::store_in(tx, &ticket, &answer, now)?;
            Ok(answer)
        })
        .await?;
    super::changed(app, user);
    Ok(answer)
}

/// A code as it is stored, from what somebody typed; `None` when it cannot be one.
pub fn normal(typed: &str) -> Option<String> {
    normal_code(typed)
}

/// Makes a batch of codes.
///
/// # Errors
/// `Batch` and `Amount` when something is out of range; what the database fails with. Nothing was
/// made then.
pub async fn create_batch(app: &App, batch: Batch) -> Result<(BatchId, Vec<String>), PointsError> {
    create_batch_noted(app, batch, None).await
}

/// The same, with the entry in the audit log that tells of an administrator.
pub(super) async fn create_batch_noted(
    app: &App,
    batch: Batch,
    actor: Option<Actor>,
) -> Result<(BatchId, Vec<String>), PointsError> {
    let now = app.clock.now();
    if !(1..=BATCH_MAX).contains(&batch.count) {
        return Err(PointsError::Batch("count"));
    }
    if batch.expires_at.is_some_and(|end| end <= now) {
        return Err(PointsError::Batch("expires_at"));
    }
    check_amount(batch.points)?;
    let codes: Vec<String> = (0..batch.count).map(|_| draw_redeem_code(&app.rng)).collect();
    app.db
        .write("points.create_batch", move |tx| {
            let id = store::redeem::insert_batch(tx, &batch, now)?;
            codes.iter().try_for_each(|code| store::redeem::insert_code(tx, id, code))?;
            if let Some(actor) = actor {
                let entry = AuditEntry {
                    actor,
                    action: "codes.created",
                    object: format!("code_batch:{}", id.0),
                    before: Value::Null,
                    after: json!({
                        "name": batch.name, "points": batch.points, "count": batch.count,
                        "expiresAt": batch.expires_at.map(UnixMillis::rfc3339),
                    }),
                };
                audit::service::record(tx, &entry, now)?;
            }
            Ok((id, codes))
        })
        .await
}
