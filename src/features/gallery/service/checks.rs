//! What WeChat thinks of pictures that wait to be published. Its verdicts decide about waiting ones only:
//! what a person has decided stays.

use serde_json::json;

use super::review::{self, Reviewed};
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::clients::wechat::Verdict;
use crate::db::Tx;
use crate::features::audit::{Actor, AuditEntry, service::record};
use crate::features::gallery::model::{CHECK_SAYS_NO, Decision, GalleryError, ImageStatus};
use crate::features::gallery::store;
use crate::features::moderation::service::pictures;
use crate::features::moderation::{CheckedPicture, ModerationError, PictureOpinion};
use crate::features::settings::{self, Settings};

/// Asks WeChat about the pictures whose turn it is: those that a crash left, and those whose verdict did
/// not come.
///
/// # Errors
/// What the database fails with; the rest follows at the next call.
pub async fn check_due(app: &App) -> Result<(), GalleryError> {
    for image in pictures::due(app)? {
        ask(app, image).await?;
    }
    Ok(())
}

/// Asks WeChat about a picture that has just been handed in. What goes wrong is made up for later.
pub(super) async fn ask_now(app: &App, image: i64) {
    if let Err(err) = ask(app, image).await {
        let problem = error_chain(&err);
        tracing::warn!(problem, image.id = image, "a picture is checked later");
    }
}

async fn ask(app: &App, image: i64) -> Result<(), GalleryError> {
    let Some(trace) = pictures::ask(app, image).await.map_err(failed)? else { return Ok(()) };
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let is_decided = app
        .db
        .write("gallery.asked", move |tx| {
            let minutes = settings.moderation.verdict_minutes;
            let checked = pictures::asked(tx, image, &trace, minutes, now)?;
            checked.map_or(Ok(false), |checked| act(tx, &checked, &settings, now))
        })
        .await?;
    if is_decided {
        super::changed(app);
    }
    Ok(())
}

/// Takes WeChat's verdict on the check of this number, and decides about the picture; `None` is that it
/// could not be checked. The same verdict again changes nothing.
///
/// # Errors
/// What the database fails with.
pub async fn checked(
    app: &App,
    trace: String,
    verdict: Option<Verdict>,
    label: Option<i64>,
) -> Result<(), GalleryError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let is_decided = app
        .db
        .write("gallery.checked", move |tx| {
            let checked = pictures::told(tx, &trace, verdict, label, now)?;
            checked.map_or(Ok(false), |checked| act(tx, &checked, &settings, now))
        })
        .await?;
    if is_decided {
        super::changed(app);
    }
    Ok(())
}

/// Does what follows from an opinion; says whether the picture has changed.
fn act(
    tx: &Tx<'_>,
    checked: &CheckedPicture,
    settings: &Settings,
    now: UnixMillis,
) -> Result<bool, GalleryError> {
    let id = checked.image;
    let is_waiting =
        store::standing(tx, id)?.is_some_and(|image| image.status == ImageStatus::Pending);
    let decision = match checked.opinion {
        PictureOpinion::Pass if !settings.gallery.hold_for_review => Decision::Approve,
        PictureOpinion::Reject => Decision::Reject(CHECK_SAYS_NO.to_owned()),
        PictureOpinion::Pass | PictureOpinion::Unsure => return Ok(false),
    };
    if !is_waiting {
        return Ok(false);
    }
    let Reviewed { before, after } = review::decide(tx, id, &decision, now)?;
    let entry = AuditEntry {
        actor: Actor::Wechat,
        action: "gallery.checked",
        object: format!("image:{id}"),
        before: json!({ "status": before.as_str() }),
        after: json!({ "status": after.as_str(), "label": checked.label }),
    };
    record(tx, &entry, now)?;
    Ok(true)
}

fn failed(err: ModerationError) -> GalleryError {
    GalleryError::Check(err)
}
