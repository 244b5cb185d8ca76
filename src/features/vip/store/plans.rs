//! The `vip_plans` table.

use crate::db::prelude::*;
use crate::features::vip::model::{Plan, level_of, level_text};

/// All plans, on sale or not, in the order of the list. There are as many as the operator made.
pub(in crate::features::vip) fn all(tx: &Tx<'_>) -> Result<Vec<Plan>, DbError> {
    tx.query_all(
        "SELECT plan_id, name, level, duration, original_price, current_price, benefits, popular,
                points, on_sale, sort
           FROM vip_plans ORDER BY sort, plan_id LIMIT 1000",
        [],
        from_row,
    )
}

/// One plan, on sale or not.
pub(in crate::features::vip) fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<Plan>, DbError> {
    tx.query_opt(
        "SELECT plan_id, name, level, duration, original_price, current_price, benefits, popular,
                points, on_sale, sort
           FROM vip_plans WHERE plan_id = ?1",
        params![id],
        from_row,
    )
}

/// Adds a plan; `false` when there is one of this id.
pub(in crate::features::vip) fn insert(tx: &Tx<'_>, plan: &Plan) -> Result<bool, DbError> {
    let added = tx.execute(
        "INSERT INTO vip_plans (plan_id, name, level, duration, original_price, current_price,
                                benefits, popular, points, on_sale, sort)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (plan_id) DO NOTHING",
        params![
            plan.id,
            plan.name,
            level_text(plan.level),
            plan.days,
            plan.original_price,
            plan.current_price,
            benefits(plan),
            plan.is_popular,
            plan.points,
            plan.is_on_sale,
            plan.sort
        ],
    )?;
    Ok(added == 1)
}

/// Changes a plan in all but its id; `false` when there is none.
pub(in crate::features::vip) fn update(tx: &Tx<'_>, plan: &Plan) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE vip_plans SET name = ?2, level = ?3, duration = ?4, original_price = ?5,
                current_price = ?6, benefits = ?7, popular = ?8, points = ?9, on_sale = ?10,
                sort = ?11
          WHERE plan_id = ?1",
        params![
            plan.id,
            plan.name,
            level_text(plan.level),
            plan.days,
            plan.original_price,
            plan.current_price,
            benefits(plan),
            plan.is_popular,
            plan.points,
            plan.is_on_sale,
            plan.sort
        ],
    )?;
    Ok(changed == 1)
}

/// A list of texts always serialises.
fn benefits(plan: &Plan) -> String {
    serde_json::to_string(&plan.benefits).unwrap_or_else(|_| "[]".to_owned())
}

fn from_row(row: &Row<'_>) -> Result<Plan, DbError> {
    let level: String = row.get(2)?;
    let benefits: String = row.get(6)?;
    Ok(Plan {
        id: row.get(0)?,
        name: row.get(1)?,
        level: level_of(&level),
        days: row.get(3)?,
        original_price: row.get(4)?,
        current_price: row.get(5)?,
        // The table's CHECK makes it a list; something else than a text in it, put there by hand,
        // costs the list and not the shop.
        benefits: serde_json::from_str(&benefits).unwrap_or_default(),
        is_popular: row.get(7)?,
        points: row.get(8)?,
        is_on_sale: row.get(9)?,
        sort: row.get(10)?,
    })
}
