//! Finding templates.

use super::model::Template;
use super::store;
use crate::db::{DbError, Tx};

/// Whether there is such a template.
///
/// # Errors
/// What the database fails with.
pub fn exists(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    store::exists(tx, id)
}

/// Those of these templates that there are, in no order, in one query.
///
/// # Errors
/// What the database fails with.
pub fn find_many(tx: &Tx<'_>, ids: &[String]) -> Result<Vec<Template>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    store::find_many(tx, ids)
}
