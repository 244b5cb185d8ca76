//! What reviewers see and decide.

use serde_json::json;

use super::visibility;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::gallery::model::{Decision, GalleryError, Image, ImageStatus, Report};
use crate::features::gallery::store;

/// A picture before and after a decision, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    pub before: ImageStatus,
    pub after: ImageStatus,
}

/// Decides about a picture, and with it about its open reports: what takes it off says that they were
/// right. After the commit the caller calls [`changed`](super::changed).
///
/// # Errors
/// `NotFound`; `Undecidable`, nothing has changed then; what the database fails with.
pub fn decide(
    tx: &Tx<'_>,
    id: i64,
    decision: &Decision,
    now: UnixMillis,
) -> Result<Reviewed, GalleryError> {
    let before = store::standing(tx, id)?.ok_or(GalleryError::NotFound)?.status;
    let wanted = before.after(decision).ok_or(GalleryError::Undecidable(before))?;
    let after = match wanted {
        ImageStatus::Approved => visibility::show(tx, id, now)?,
        other => {
            visibility::conceal(tx, id, other, decision.reason(), now)?;
            other
        }
    };
    store::reports::decide(tx, id, wanted != ImageStatus::Approved, now)?;
    Ok(Reviewed { before, after })
}

/// The same as an administrator, with the entry in the audit log that tells of it.
///
/// # Errors
/// Like [`decide`].
pub async fn decide_as(
    app: &App,
    actor: Actor,
    id: i64,
    decision: Decision,
) -> Result<Reviewed, GalleryError> {
    let now = app.clock.now();
    let done = app
        .db
        .write("gallery.decide", move |tx| {
            let reason_before = store::image(tx, id)?.and_then(|image| image.status_reason);
            let done = decide(tx, id, &decision, now)?;
            let entry = AuditEntry {
                actor,
                action: "gallery.decided",
                object: format!("image:{id}"),
                before: json!({ "status": done.before.as_str(), "reason": reason_before }),
                after: json!({ "status": done.after.as_str(), "reason": decision.reason() }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, GalleryError>(done)
        })
        .await?;
    super::changed(app);
    Ok(done)
}

/// Pictures that are not public, of one status, behind the one with this id; the oldest first.
///
/// # Errors
/// What the database fails with.
pub fn held(
    tx: &Tx<'_>,
    status: ImageStatus,
    after: i64,
    fetch: i64,
) -> Result<Vec<Image>, DbError> {
    let ids = store::lists::of_status(tx, status, after, fetch)?;
    store::images(tx, &ids)
}

/// Pictures with open reports, public or hidden, behind the one with this id; the oldest first.
///
/// # Errors
/// What the database fails with.
pub fn reported(tx: &Tx<'_>, after: i64, fetch: i64) -> Result<Vec<Image>, DbError> {
    let ids = store::lists::reported(tx, after, fetch)?;
    store::images(tx, &ids)
}

/// The open reports of a picture, the first ones.
///
/// # Errors
/// What the database fails with.
pub fn open_reports(tx: &Tx<'_>, image: i64, most: i64) -> Result<Vec<Report>, DbError> {
    store::reports::open_of(tx, image, most)
}
