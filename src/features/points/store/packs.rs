//! The `points_packs` table.

use crate::db::prelude::*;
use crate::features::points::model::{Pack, PackRecord};

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

/// All packs, those no longer sold included, in the order of the list.
pub(in crate::features::points) fn all(tx: &Tx<'_>) -> Result<Vec<PackRecord>, DbError> {
    tx.query_all(
        "SELECT pack_id, name, points, bonus_points, original_price, current_price, popular,
                on_sale, sort
           FROM points_packs ORDER BY sort, pack_id LIMIT 1000",
        [],
        record_from_row,
    )
}

/// The pack of this id, for sale or not.
pub(in crate::features::points) fn by_id(
    tx: &Tx<'_>,
    id: &str,
) -> Result<Option<PackRecord>, DbError> {
    tx.query_opt(
        "SELECT pack_id, name, points, bonus_points, original_price, current_price, popular,
                on_sale, sort
           FROM points_packs WHERE pack_id = ?1",
        params![id],
        record_from_row,
    )
}

/// Stores a pack, new or changed.
pub(in crate::features::points) fn put(tx: &Tx<'_>, record: &PackRecord) -> Result<(), DbError> {
    let pack = &record.pack;
    tx.execute(
        "INSERT INTO points_packs (pack_id, name, points, bonus_points, original_price,
                                   current_price, popular, on_sale, sort)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (pack_id) DO UPDATE SET
           name = ?2, points = ?3, bonus_points = ?4, original_price = ?5, current_price = ?6,
           popular = ?7, on_sale = ?8, sort = ?9",
        params![
            pack.id,
            pack.name,
            pack.points,
            pack.bonus_points,
            pack.original_price,
            pack.current_price,
            pack.is_popular,
            record.is_on_sale,
            record.sort
        ],
    )?;
    Ok(())
}

fn record_from_row(row: &Row<'_>) -> Result<PackRecord, DbError> {
    Ok(PackRecord { pack: from_row(row)?, is_on_sale: row.get(7)?, sort: row.get(8)? })
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
