//! Asking WeChat about pictures. The verdict comes later, by push, under the number of the question;
//! it may come before the answer that names this number does.
//!
//! Whoever publishes pictures notes with [`want`] that one is to be checked, in the transaction in which
//! it comes, then calls [`ask`] and hands the number to [`asked`]. Without a verdict in time WeChat is
//! asked again, and after the last time a reviewer decides; a verdict that comes even then still counts.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::wechat::{CheckError, CheckScene, MediaCheck, Verdict};
use crate::db::{DbError, Tx};
use crate::features::media;
use crate::features::moderation::model::{
    CheckState, CheckedPicture, MediaCheckRow, ModerationError, PictureOpinion, TraceVerdict,
};
use crate::features::moderation::store;
use crate::features::{settings, users};

/// After a question that failed, or whose asker vanished, the next is asked so much later.
const ASK_AGAIN_S: i64 = 300;

/// Checks looked at in one go.
const BATCH: i64 = 100;

/// Numbers of questions are remembered for so long, a verdict that no question here belongs to too.
const TRACES_KEPT_S: i64 = 7 * 24 * 3600;

/// Questions forgotten in one transaction.
const SWEEP_BATCH: i64 = 500;

/// Notes that a picture of a user is to be checked. Its media are held by whoever calls.
///
/// # Errors
/// What the database fails with.
pub fn want(
    tx: &Tx<'_>,
    image: i64,
    user: UserId,
    media_key: &str,
    now: UnixMillis,
) -> Result<(), DbError> {
    store::pictures::insert(tx, image, user, media_key, (now.plus_seconds(ASK_AGAIN_S), now))
}

/// Asks WeChat about a picture; gives the number of the question, to be handed to [`asked`]. `None` when
/// it was not asked or does not answer: it comes round again, or a reviewer has it.
///
/// # Errors
/// What the database fails with.
pub async fn ask(app: &App, image: i64) -> Result<Option<String>, ModerationError> {
    let now = app.clock.now();
    let most = settings::service::current(app).moderation.picture_attempts;
    let begun = app.db.write("moderation.ask", move |tx| begin(tx, image, most, now)).await?;
    let Some((check, openid)) = begun else { return Ok(None) };
    let media_url = media::service::url(app, &check.media_key);
    let question =
        MediaCheck { media_url: &media_url, openid: &openid, scene: CheckScene::SocialLog };
    let err = match app.weixin.check_media(question).await {
        Ok(trace) => return Ok(Some(trace)),
        Err(err) => err,
    };
    let is_final = match &err {
        CheckError::NotSeen => true,
        CheckError::Wechat(err) => !err.is_transient(),
    };
    tracing::warn!(error = %err, image.id = image, "WeChat does not check a picture");
    if is_final || check.attempts + 1 >= most {
        app.db
            .write("moderation.hold", move |tx| {
                store::pictures::set_state(tx, image, "HELD", now, now)
            })
            .await?;
    }
    Ok(None)
}

/// The check and whom it is about, if WeChat is to be asked now.
fn begin(
    tx: &Tx<'_>,
    image: i64,
    most: u32,
    now: UnixMillis,
) -> Result<Option<(MediaCheckRow, String)>, DbError> {
    let Some(check) = store::pictures::check(tx, image)? else { return Ok(None) };
    if !matches!(check.state, CheckState::Wanted | CheckState::Asked) {
        return Ok(None);
    }
    let author = users::service::find(tx, check.user)?.filter(|_| check.attempts < most);
    let Some(author) = author else {
        tracing::info!(image.id = image, "there is no verdict on a picture: a reviewer decides");
        store::pictures::set_state(tx, image, "HELD", now, now)?;
        return Ok(None);
    };
    store::pictures::begin(tx, image, now.plus_seconds(ASK_AGAIN_S), now)?;
    Ok(Some((check, author.openid)))
}

/// Notes the number of a question. Gives what is thought of the picture when the verdict was here
/// before; the caller acts on it in the same transaction.
///
/// # Errors
/// What the database fails with.
pub fn asked(
    tx: &Tx<'_>,
    image: i64,
    trace: &str,
    verdict_minutes: u32,
    now: UnixMillis,
) -> Result<Option<CheckedPicture>, DbError> {
    match store::pictures::trace_asked(tx, trace, image, now)? {
        Some((verdict, label)) => conclude(tx, image, verdict, label, now),
        None => {
            let until = now.plus_seconds(i64::from(verdict_minutes) * 60);
            store::pictures::set_state(tx, image, "ASKED", until, now)?;
            Ok(None)
        }
    }
}

/// Takes the verdict on a question; `None` is that the picture could not be checked. Gives what is
/// thought of the picture when that is new; the caller acts on it in the same transaction. A verdict on
/// a question that is not known yet is kept until it is.
///
/// # Errors
/// What the database fails with.
pub fn told(
    tx: &Tx<'_>,
    trace: &str,
    verdict: Option<Verdict>,
    label: Option<i64>,
    now: UnixMillis,
) -> Result<Option<CheckedPicture>, DbError> {
    let verdict = TraceVerdict::of(verdict);
    match store::pictures::trace_told(tx, trace, (verdict, label), now)? {
        Some(image) => conclude(tx, image, verdict, label, now),
        None => Ok(None),
    }
}

fn conclude(
    tx: &Tx<'_>,
    image: i64,
    verdict: TraceVerdict,
    label: Option<i64>,
    now: UnixMillis,
) -> Result<Option<CheckedPicture>, DbError> {
    let opinion = match verdict {
        TraceVerdict::Pass => PictureOpinion::Pass,
        TraceVerdict::Review => PictureOpinion::Unsure,
        TraceVerdict::Risky => PictureOpinion::Reject,
        TraceVerdict::Failed => {
            // Not downloaded, most often: the next round asks again, as often as the setting says.
            store::pictures::set_state(tx, image, "WANTED", now, now)?;
            return Ok(None);
        }
    };
    let is_new = store::pictures::decide(tx, image, verdict, label, now)?;
    Ok(is_new.then_some(CheckedPicture { image, opinion, label }))
}

/// Pictures that WeChat is to be asked about now, first or again; each is to be handed to [`ask`].
///
/// # Errors
/// What the database fails with.
pub fn due(app: &App) -> Result<Vec<i64>, DbError> {
    let now = app.clock.now();
    let due = app.db.read_inline("moderation.due", |tx| store::pictures::due(tx, now, BATCH))?;
    Ok(due.into_iter().map(|check| check.image).collect())
}

/// Forgets old questions.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<(), DbError> {
    let before = app.clock.now().plus_seconds(-TRACES_KEPT_S);
    loop {
        let sweep = move |tx: &Tx<'_>| store::pictures::sweep(tx, before, SWEEP_BATCH);
        if app.db.write("moderation.sweep", sweep).await? == 0 {
            return Ok(());
        }
    }
}
