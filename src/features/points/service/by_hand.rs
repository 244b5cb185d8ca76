//! Points that an administrator gives or takes, and what he sees of a ledger.

use serde_json::json;

use crate::app::App;
use crate::base::ids::UserId;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::idempotency::IdempotencyError;
use crate::features::points::model::{
    Entry, PointsError, Reason, Totals, Transaction, TransactionType,
};
use crate::features::points::store;

/// A change of a balance by hand.
#[derive(Clone, Debug)]
pub struct Adjustment {
    pub user: UserId,
    /// What is given, or with a minus taken.
    pub amount: i64,
    /// Why, for the audit log.
    pub reason: String,
    /// What the user reads in his statement.
    pub description: Option<String>,
    pub actor: Actor,
    /// Names the request: it books once.
    pub key: String,
}

/// Gives or takes points, once for each actor and key. Gives the balance after it.
///
/// # Errors
/// `Insufficient` (a balance is never below zero), `NoSuchUser`, `Amount`,
/// `Idempotency(KeyReused)` when the key came with another user or amount; what the database fails
/// with.
pub async fn adjust(app: &App, wish: Adjustment) -> Result<i64, PointsError> {
    let (now, user) = (app.clock.now(), wish.user);
    let balance = app
        .db
        .write("points.adjust", move |tx| {
            let kind = if wish.amount > 0 { TransactionType::Earn } else { TransactionType::Spend };
            let entry = Entry {
                user,
                amount: wish.amount.checked_abs().ok_or(PointsError::Amount(wish.amount))?,
                reason: Reason::Admin,
                reference: format!("{}:{}", wish.actor, wish.key),
                description: wish.description.unwrap_or_else(|| described(kind).to_owned()),
            };
            if let Some(before) = store::booked(tx, &entry)? {
                let is_same =
                    (before.user, before.kind, before.amount) == (user, kind, entry.amount);
                let reused = PointsError::Idempotency(IdempotencyError::KeyReused);
                return if is_same { Ok(before.balance_after) } else { Err(reused) };
            }
            let balance = match kind {
                TransactionType::Spend => super::spend(tx, &entry, now)?,
                TransactionType::Earn | TransactionType::Refund => super::earn(tx, &entry, now)?,
            };
            let entry = AuditEntry {
                actor: wish.actor,
                action: "points.adjusted",
                object: format!("user:{user}"),
                before: json!({ "balance": balance.saturating_sub(wish.amount) }),
                after: json!({
                    "balance": balance, "amount": wish.amount, "reason": wish.reason,
                }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(balance)
        })
        .await?;
    super::changed(app, user);
    Ok(balance)
}

/// What a user has and what his ledger comes to; `None` for nobody.
///
/// # Errors
/// What the database fails with.
pub fn totals_of(tx: &Tx<'_>, user: UserId) -> Result<Option<Totals>, DbError> {
    store::totals(tx, user)
}

/// A part of a user's ledger, newest first, behind the row with this time and id.
///
/// # Errors
/// What the database fails with.
pub async fn statement(
    app: &App,
    user: UserId,
    kind: Option<TransactionType>,
    after: [i64; 2],
    fetch: i64,
) -> Result<Vec<Transaction>, DbError> {
    app.db
        .read("points.statement", move |tx| match kind {
            None => store::transactions(tx, user, after, 0, fetch),
            Some(kind) => store::transactions_of_type(tx, user, kind, after, 0, fetch),
        })
        .await
}

const fn described(kind: TransactionType) -> &'static str {
    match kind {
        TransactionType::Spend => "客服扣除积分",
        TransactionType::Earn | TransactionType::Refund => "客服赠送积分",
    }
}
