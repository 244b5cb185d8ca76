//! The `points_packs` table.

use crate::db::prelude::*;
use crate::features::points::model::Pack;

/// What is for sale, in the order of the list.
pub(in crate::features::points) fn on_sale(tx: &Tx<'_>) -> Result<Vec<Pack>, DbError> {
    tx.query_all(
        "SELECT pack_id, name, points, bonus_points, original_price, current_price, popular
           FROM points_packs WHERE on_sale = 1 ORDER BY sort, pack_id LIMIT 1000",
        [],
        from_row,
    )
}

/// The pack of this id, if it is for sale.
pub(in crate::features::points) fn on_sale_by_id(
    tx: &Tx<'_>,
    id: &str,
) -> Result<Option<Pack>, DbError> {
    tx.query_opt(
        "SELECT pack_id, name, points, bonus_points, original_price, current_price, popular
           FROM points_packs WHERE pack_id = ?1 AND on_sale = 1",
        params![id],
        from_row,
    )
}

fn from_row(row: &Row<'_>) -> Result<Pack, DbError> {
    Ok(Pack {
        id: row.get(0)?,
        name: row.get(1)?,
        points: row.get(2)?,
        bonus_points: row.get(3)?,
        original_price: row.get(4)?,
        current_price: row.get(5)?,
        is_popular: row.get(6)?,
    })
}
