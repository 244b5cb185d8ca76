//! Refunds, whoever's, for administrators; and trying one again that failed.

use std::sync::Arc;

use crate::app::App;
use crate::db::DbError;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::refunds::model::{
    IfSpent, Refund, RefundAmount, RefundError, RefundFilter, RefundId, RefundStatus, RefundWish,
};
use crate::features::refunds::store;

/// A part of the refunds that a filter shows, the newest first, behind the row of this number; each with
/// its row's number.
///
/// # Errors
/// What the database fails with.
pub async fn browse(
    app: &App,
    filter: RefundFilter,
    before: Option<i64>,
    fetch: i64,
) -> Result<Vec<(i64, Refund)>, DbError> {
    let before = before.unwrap_or(i64::MAX);
    app.db.read("refunds.browse", move |tx| store::browse::newest(tx, filter, before, fetch)).await
}

/// Takes the next step of a refund at once: what is under way is sent or asked about again; one that
/// failed is asked for anew, with the same amount, days and points. Gives the refund that goes on.
///
/// # Errors
/// `NoSuchRefund`; `NothingLeft` for one that has gone back; as [`request`](super::request()).
pub async fn retry(
    app: &Arc<App>,
    id: &RefundId,
    actor: Actor,
    if_spent: IfSpent,
) -> Result<Refund, RefundError> {
    let find = |id: &RefundId| app.db.read_inline("refunds.find", |tx| store::by_id(tx, id));
    let refund = find(id)?.ok_or(RefundError::NoSuchRefund)?;
    match refund.status {
        RefundStatus::Refunded => Err(RefundError::NothingLeft),
        RefundStatus::Told | RefundStatus::Refunding => {
            let (object, now) = (format!("refund:{id}"), app.clock.now());
            let entry = AuditEntry {
                actor,
                action: "refund.looked_at",
                object,
                before: serde_json::json!({ "problem": refund.problem }),
                after: serde_json::Value::Null,
            };
            app.db
                .write("refunds.note_look", move |tx| audit::service::record(tx, &entry, now))
                .await?;
            super::look(app, id).await?;
            find(id)?.ok_or(RefundError::NoSuchRefund)
        }
        RefundStatus::Failed => {
            let wish = RefundWish {
                order: refund.order,
                amount: RefundAmount::Fen(refund.amount),
                days: refund.vip_days,
                points: Some(refund.points),
                if_spent,
                reason: refund.reason,
                actor,
            };
            super::request(app, wish).await
        }
    }
}
