//! What is for sale and for how much: from our tables alone.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::orders::model::{
    AMOUNT_MAX, AMOUNT_MIN, OrderError, PlanTerms, Product, Wanted, points_for,
};
use crate::features::points;
use crate::features::settings::Economy;
use crate::features::vip::{self, VipError};

/// What `wanted` is at `now`, for this user.
///
/// # Errors
/// `PlanNotFound`, `PackNotFound`, `Invalid`; `Vip` when the plan is of a lower level than the one that
/// runs; what the database fails with.
pub(super) fn find(
    tx: &Tx<'_>,
    economy: &Economy,
    user: UserId,
    wanted: &Wanted,
    now: UnixMillis,
) -> Result<Product, OrderError> {
    let key = wanted.key();
    match wanted {
        Wanted::Plan(id) => {
            let quote = vip::service::quote(tx, user, id, now).map_err(|err| match err {
                VipError::PlanNotFound => OrderError::PlanNotFound,
                VipError::NoSuchUser => OrderError::NoSuchUser,
                other => OrderError::Vip(other),
            })?;
            let plan = quote.plan;
            Ok(Product {
                key,
                name: plan.name,
                price: plan.current_price,
                points: plan.points,
                plan: Some(PlanTerms { id: plan.id, level: plan.level, days: plan.days }),
                pack_id: None,
            })
        }
        Wanted::Pack(id) => {
            let pack = points::service::pack_on_sale(tx, id)?.ok_or(OrderError::PackNotFound)?;
            Ok(Product {
                key,
                name: pack.name,
                price: pack.current_price,
                points: pack.points.saturating_add(pack.bonus_points),
                plan: None,
                pack_id: Some(pack.id),
            })
        }
        Wanted::Amount(fen) => {
            if !(AMOUNT_MIN..=AMOUNT_MAX).contains(fen) {
                return Err(OrderError::Invalid("amount"));
            }
            let points = points_for(*fen, economy.points_per_yuan);
            Ok(Product {
                key,
                name: format!("{points} 积分"),
                price: *fen,
                points,
                plan: None,
                pack_id: None,
            })
        }
    }
}
