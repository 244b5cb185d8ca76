//! Packs, as an administrator keeps them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::app::App;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::points::model::{PackRecord, PointsError};
use crate::features::points::store;

/// A pack to be stored.
#[derive(Clone, Debug)]
pub struct PackWish {
    pub record: PackRecord,
    /// The [`PackRecord::version`] that the caller saw; `None` makes a new one.
    pub version: Option<String>,
    /// Only says what would change.
    pub is_dry_run: bool,
    pub actor: Actor,
    pub reason: Option<String>,
}

/// How often the list has changed since the start.
#[derive(Default)]
struct Version(AtomicU64);

/// The version of the list: what was kept of another is out of date.
pub(in crate::features::points) fn version(app: &App) -> u64 {
    app.states.get::<Version>().0.load(Ordering::SeqCst)
}

/// All packs, those no longer sold included, in the order of the list.
///
/// # Errors
/// What the database fails with.
pub fn all(app: &App) -> Result<Vec<PackRecord>, DbError> {
    app.db.read_inline("points.all_packs", store::packs::all)
}

/// Makes or changes a pack, with the entry in the audit log. What was sold of it keeps its price and
/// points. Gives it before and after.
///
/// # Errors
/// `Pack` naming the field, `PackExists`, `PackNotFound`, `Outdated` when it is another than the caller
/// saw; what the database fails with.
pub async fn put(
    app: &App,
    wish: PackWish,
) -> Result<(Option<PackRecord>, PackRecord), PointsError> {
    let now = app.clock.now();
    let record = wish.record.checked()?;
    let decide = {
        let (id, version) = (record.pack.id.clone(), wish.version);
        move |tx: &Tx<'_>| -> Result<Option<PackRecord>, PointsError> {
            let before = store::packs::by_id(tx, &id)?;
            match (&before, version) {
                (Some(_), None) => Err(PointsError::PackExists),
                (None, Some(_)) => Err(PointsError::PackNotFound),
                (Some(before), Some(version)) if before.version() != version => {
                    Err(PointsError::Outdated)
                }
                _ => Ok(before),
            }
        }
    };
    if wish.is_dry_run {
        return Ok((app.db.read_inline("points.try_pack", decide)?, record));
    }
    let stored = record.clone();
    let before = app
        .db
        .write("points.put_pack", move |tx| {
            let before = decide(tx)?;
            store::packs::put(tx, &stored)?;
            let mut after = stored.to_json();
            after["reason"] = wish.reason.into();
            let entry = AuditEntry {
                actor: wish.actor,
                action: "pack.changed",
                object: format!("pack:{}", stored.pack.id),
                before: before.as_ref().map_or(Value::Null, PackRecord::to_json),
                after,
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, PointsError>(before)
        })
        .await?;
    app.states.get::<Version>().0.fetch_add(1, Ordering::SeqCst);
    Ok((before, record))
}
