//! Sizes of the database file.

use crate::db::prelude::*;

/// Bytes of the file, of which so many are free, and its path.
pub(in crate::features::admin) fn size(tx: &Tx<'_>) -> Result<(i64, i64, String), DbError> {
    tx.query_one(
        "SELECT c.page_count * s.page_size, f.freelist_count * s.page_size, d.file
           FROM pragma_page_count() c, pragma_page_size() s, pragma_freelist_count() f,
                pragma_database_list() d
          WHERE d.name = 'main'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}
