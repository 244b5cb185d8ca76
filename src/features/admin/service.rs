//! The rules of administrators, by what they are about.

pub mod accounts;
pub mod home;
pub mod login;
pub mod search;
pub mod second_factor;
pub mod sessions;
pub mod setup;
pub mod streams;
pub mod system;
pub mod tasks;
pub mod timeline;

use std::sync::Arc;

use super::model::AdminError;
use super::model::throttle::MEMORY_MS;
use super::store;
use crate::app::App;
use crate::db::DbError;

/// How long sessions that are over stay: as long, an address counts as known.
const SESSIONS_KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// Forgets old sessions and failures.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &Arc<App>) -> Result<(), AdminError> {
    let now = app.clock.now();
    app.db
        .write("admin.sweep", move |tx| {
            store::sessions::sweep(tx, now.plus_millis(-SESSIONS_KEPT_MS))?;
            store::failures::sweep(tx, now.plus_millis(-MEMORY_MS))?;
            Ok::<_, DbError>(())
        })
        .await?;
    Ok(())
}
