//! The search index: one entry for each public picture, by its place in the order of publication.
//!
//! `rowid` is how the index names its entries; it has no other key. Its order is the order of the
//! list, so that a page costs what it shows, however many pictures match.

use crate::db::prelude::*;
use crate::features::gallery::model::SearchTerms;

/// Adds a picture that became public.
pub(in crate::features::gallery) fn insert(
    tx: &Tx<'_>,
    seq: i64,
    terms: &SearchTerms,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO gallery_search (rowid, terms) VALUES (?1, ?2)",
        params![seq, terms.as_str()],
    )?;
    Ok(())
}

/// Removes one that is not public any more.
pub(in crate::features::gallery) fn remove(tx: &Tx<'_>, seq: i64) -> Result<(), DbError> {
    tx.execute("DELETE FROM gallery_search WHERE rowid = ?1", params![seq])?;
    Ok(())
}

/// The places of matching pictures before this one, newest first.
pub(in crate::features::gallery) fn matches(
    tx: &Tx<'_>,
    question: &str,
    before: i64,
    skip: i64,
    fetch: i64,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT rowid FROM gallery_search WHERE gallery_search MATCH ?1 AND rowid < ?2
          ORDER BY rowid DESC LIMIT ?3 OFFSET ?4",
        params![question, before, fetch, skip],
        |row| row.get(0),
    )
}

/// How many match, up to `most`.
pub(in crate::features::gallery) fn count(
    tx: &Tx<'_>,
    question: &str,
    most: i64,
) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM
           (SELECT rowid FROM gallery_search WHERE gallery_search MATCH ?1 LIMIT ?2)",
        params![question, most],
        |row| row.get(0),
    )
}
