//! Publishing a picture of one's own job.

use std::sync::Arc;

use super::check::check;
use super::{checks, visibility};
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::gallery::model::{
    GalleryError, ImageStatus, NewImage, Published, Verdict, normalised,
};
use crate::features::gallery::store;
use crate::features::generations::{self, DeliveredPicture, Delivery, JobId};
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::media::{self, Holder};
use crate::features::moderation;

/// Which picture somebody wants to publish, and how.
#[derive(Clone, Debug)]
pub(in crate::features::gallery) struct Wish {
    pub(in crate::features::gallery) job: String,
    /// From 0.
    pub(in crate::features::gallery) index: i64,
    pub(in crate::features::gallery) category: String,
    pub(in crate::features::gallery) tags: Vec<String>,
}

/// Publishes a picture, or gives what was published before of the same job and index. `answer` renders
/// it, to be stored with it.
///
/// # Errors
/// `JobNotFound`, `JobUnfinished`, `Invalid` (`index`, `categoryId`, `tags`), `PictureGone`,
/// `Rejected`; what the database fails with.
pub(in crate::features::gallery) async fn publish(
    app: &Arc<App>,
    user: UserId,
    wish: Wish,
    ticket: Ticket,
    answer: fn(&Published) -> Answer,
) -> Result<Answer, GalleryError> {
    let now = app.clock.now();
    let tags = normalised(&wish.tags)?;
    let job = JobId::parse(&wish.job).ok_or(GalleryError::JobNotFound)?;
    // Looked at before anything is asked outside: a repetition asks nobody.
    let first = app.db.read_inline("gallery.publishable", |tx| {
        let picture = deliverable(tx, user, &job, &wish)?;
        Ok::<_, GalleryError>((picture, store::published_from(tx, &wish.job, wish.index)?))
    })?;
    let (picture, verdict) = match first {
        (picture, Some(_)) => (picture, Verdict::Hold),
        (picture, None) => {
            let verdict = check(app, user, &picture.prompt, &tags).await?;
            (picture, verdict)
        }
    };
    if verdict == Verdict::Reject {
        return Err(GalleryError::Rejected);
    }
    let image = NewImage {
        author: user,
        job_id: wish.job.clone(),
        job_index: wish.index,
        image_url: media::service::url(app, &picture.key),
        image_key: picture.key,
        thumbnail_url: media::service::url(app, &picture.thumbnail_key),
        thumbnail_key: picture.thumbnail_key,
        width: picture.width,
        height: picture.height,
        prompt: picture.prompt,
        tags,
        category: wish.category,
    };
    let (answer, new) = app
        .db
        .write("gallery.publish", move |tx| {
            let known = store::published_from(tx, &image.job_id, image.job_index)?;
            let published = match known {
                Some(published) => published,
                None => add(tx, &image, &verdict, now)?,
            };
            let answer = answer(&published);
            idempotency::service::store_in(tx, &ticket, &answer, now)?;
            let new = known.is_none().then_some(published.id);
            Ok::<_, GalleryError>((answer, new))
        })
        .await?;
    if let Some(image) = new {
        super::changed(app);
        if verdict == Verdict::CheckPicture {
            // To its end, also when the client has left: WeChat's number would be lost.
            let app = Arc::clone(app);
            let asking = tokio::spawn(async move { checks::ask_now(&app, image).await });
            if asking.await.is_err() {
                tracing::error!(image.id = image, "asking about a picture was cut short");
            }
        }
    }
    Ok(answer)
}

/// The picture that is meant, if it can be published.
fn deliverable(
    tx: &Tx<'_>,
    user: UserId,
    job: &JobId,
    wish: &Wish,
) -> Result<DeliveredPicture, GalleryError> {
    let index = usize::try_from(wish.index).map_err(|_| GalleryError::Invalid("index"))?;
    let picture = match generations::service::delivered_picture(tx, user, job, index)? {
        Delivery::NoJob => return Err(GalleryError::JobNotFound),
        Delivery::Unfinished => return Err(GalleryError::JobUnfinished),
        Delivery::NoPicture => return Err(GalleryError::Invalid("index")),
        Delivery::Picture(picture) => picture,
    };
    if !store::category_exists(tx, &wish.category)? {
        return Err(GalleryError::Invalid("categoryId"));
    }
    Ok(picture)
}

fn add(
    tx: &Tx<'_>,
    image: &NewImage,
    verdict: &Verdict,
    now: UnixMillis,
) -> Result<Published, GalleryError> {
    let id = store::insert(tx, image, now)?;
    // The job may go, with its pictures, while they are in the gallery.
    let holder = Holder::gallery(id);
    for key in [&image.image_key, &image.thumbnail_key] {
        if !media::service::hold(tx, &holder, key, now)? {
            return Err(GalleryError::PictureGone);
        }
    }
    let status = match verdict {
        Verdict::Pass => visibility::show(tx, id, now)?,
        Verdict::CheckPicture => {
            let author = image.author;
            moderation::service::pictures::want(tx, id, author, &image.image_key, now)?;
            ImageStatus::Pending
        }
        Verdict::Hold | Verdict::Reject => ImageStatus::Pending,
    };
    let published = store::published_from(tx, &image.job_id, image.job_index)?;
    Ok(published.unwrap_or(Published { id, status, published_at: None }))
}
