//! `/review`: pictures that wait for somebody, reported ones, and deciding about them.

use std::sync::Arc;

use futures_util::future::join_all;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::{Content, Viewer};
use super::csv::{self, Csv, Sheet, or_empty};
use super::list::{self, said, shown};
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::audit::Actor;
use crate::features::gallery::service::decide_as;
use crate::features::gallery::service::desk::{self, DeskImage, Pile};
use crate::features::gallery::{Decision, ImageStatus, Report};
use crate::http::{ApiError, JsonBody, Page};

/// Pictures decided about at once.
const BULK_MAX: usize = 100;

/// Which pictures are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum ReviewPile {
    Pending,
    Reported,
    Rejected,
    Hidden,
}

impl From<ReviewPile> for Pile {
    fn from(pile: ReviewPile) -> Self {
        match pile {
            ReviewPile::Pending => Self::Held(ImageStatus::Pending),
            ReviewPile::Reported => Self::Reported,
            ReviewPile::Rejected => Self::Held(ImageStatus::Rejected),
            ReviewPile::Hidden => Self::Held(ImageStatus::Hidden),
        }
    }
}

/// Where a picture stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum ReviewStatus {
    Pending,
    Approved,
    Rejected,
    Hidden,
}

impl From<ImageStatus> for ReviewStatus {
    fn from(status: ImageStatus) -> Self {
        match status {
            ImageStatus::Pending => Self::Pending,
            ImageStatus::Approved => Self::Approved,
            ImageStatus::Rejected => Self::Rejected,
            ImageStatus::Hidden => Self::Hidden,
        }
    }
}

/// What somebody says is wrong with a picture.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ReviewReport {
    user_id: i64,
    reason: String,
    detail: Option<String>,
    created_at: String,
}

impl From<Report> for ReviewReport {
    fn from(report: Report) -> Self {
        Self {
            user_id: report.user.0,
            reason: report.reason,
            detail: report.detail,
            created_at: report.created_at.rfc3339(),
        }
    }
}

/// A picture with everything that helps to decide.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ReviewImage {
    id: i64,
    status: ReviewStatus,
    /// Of a rejected or hidden one.
    status_reason: Option<String>,
    image_url: String,
    thumbnail_url: String,
    width: u32,
    height: u32,
    prompt: String,
    tags: Vec<String>,
    category_id: String,
    category_name: String,
    author_id: Option<i64>,
    author_name: Option<String>,
    likes: i64,
    /// Those that nobody has decided on; twenty at most.
    reports: Vec<ReviewReport>,
    created_at: String,
    published_at: Option<String>,
}

impl From<DeskImage> for ReviewImage {
    fn from(image: DeskImage) -> Self {
        Self {
            id: image.id,
            status: image.status.into(),
            status_reason: image.status_reason,
            image_url: image.image_url,
            thumbnail_url: image.thumbnail_url,
            width: image.width,
            height: image.height,
            prompt: image.prompt,
            tags: image.tags,
            category_id: image.category_id,
            category_name: image.category_name,
            author_id: image.author.map(|id| id.0),
            author_name: image.author_name,
            likes: image.likes,
            reports: image.reports.into_iter().map(ReviewReport::from).collect(),
            created_at: image.created_at.rfc3339(),
            published_at: shown(image.published_at),
        }
    }
}

fn sheet() -> Sheet<DeskImage, i64> {
    Sheet {
        name: "review.csv",
        columns: &[
            "id",
            "status",
            "reason",
            "authorId",
            "prompt",
            "reports",
            "createdAt",
            "imageUrl",
        ],
        keys: |image| image.id,
        record: |image| {
            let reports: Vec<&str> =
                image.reports.iter().map(|report| report.reason.as_str()).collect();
            vec![
                image.id.to_string(),
                image.status.as_str().to_owned(),
                or_empty(image.status_reason.as_ref()),
                or_empty(image.author),
                image.prompt.clone(),
                reports.join("; "),
                image.created_at.rfc3339(),
                image.image_url.clone(),
            ]
        },
    }
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum Verdict {
    /// A held or rejected one becomes public.
    Approve,
    /// It was never fit to be public; needs a reason.
    Reject,
    /// A public one is taken off the lists; needs a reason.
    Hide,
    /// A hidden one comes back to where it was.
    Restore,
}

/// A decision about some pictures.
#[derive(Debug, Object)]
struct DecideRequest {
    /// 1–100 pictures.
    #[oai(validator(min_items = 1, max_items = 100))]
    ids: Vec<i64>,
    decision: Verdict,
    /// Shown to the author; 1–200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    reason: Option<String>,
}

/// What became of one picture.
#[derive(Debug, Object)]
struct Decided {
    id: i64,
    /// Its status after the decision; null when that was not possible.
    status: Option<ReviewStatus>,
    /// The code of the error: `IMAGE_NOT_FOUND`, or `INVALID_STATE` when there was nothing to decide.
    error: Option<String>,
}

/// What became of each, in the order of the request.
#[derive(Debug, Object)]
struct DecideResponse {
    items: Vec<Decided>,
}

/// Reviews.
pub(super) struct ReviewApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/review", tag = "AdminTag::Content")]
impl ReviewApi {
    /// List pictures to be reviewed
    ///
    /// The oldest first.
    #[oai(path = "/", method = "get", operation_id = "listReview")]
    async fn list(
        &self,
        _admin: Viewer,
        pile: Query<ReviewPile>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<ReviewImage>>, ApiError> {
        self.page(pile.0.into(), cursor.0, limit.0).await
    }

    /// Export pictures to be reviewed
    ///
    /// As CSV.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportReview")]
    async fn export(&self, _admin: Viewer, pile: Query<ReviewPile>) -> Result<Csv, ApiError> {
        csv::export(&self.app, sheet(), pile.0.into(), |app, pile, after, fetch| async move {
            desk::pile(&app, pile, after, fetch).await
        })
        .await
    }

    /// List a user's published pictures
    ///
    /// Whatever their status, the newest first.
    #[oai(path = "/users/:id", method = "get", operation_id = "listUserImages")]
    async fn of_user(
        &self,
        _admin: Viewer,
        id: Path<i64>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<ReviewImage>>, ApiError> {
        self.page(Pile::Of(UserId(id.0)), cursor.0, limit.0).await
    }

    /// See a picture
    ///
    /// Whatever its status. Errors: `IMAGE_NOT_FOUND`.
    #[oai(path = "/images/:id", method = "get", operation_id = "getReviewImage")]
    async fn get(&self, _admin: Viewer, id: Path<i64>) -> Result<Json<ReviewImage>, ApiError> {
        Ok(Json(desk::one(&self.app, id.0)?.into()))
    }

    /// Decide about pictures
    ///
    /// Each by itself: what is not possible for one does not hold up the others. Open reports are decided
    /// with it.
    #[oai(path = "/decide", method = "post", operation_id = "decideReview")]
    async fn decide(
        &self,
        admin: Content,
        body: JsonBody<DecideRequest>,
    ) -> Result<Json<DecideResponse>, ApiError> {
        let DecideRequest { ids, decision, reason } = body.0;
        let reason = || said("reason", reason.as_deref().unwrap_or_default());
        let decision = match decision {
            Verdict::Approve => Decision::Approve,
            Verdict::Restore => Decision::Restore,
            Verdict::Reject => Decision::Reject(reason()?),
            Verdict::Hide => Decision::Hide(reason()?),
        };
        let ids: Vec<i64> = ids.into_iter().take(BULK_MAX).collect();
        let (actor, app) = (admin.actor(), &self.app);
        // Together they share a commit.
        let all = ids.into_iter().map(|id| one(app, actor.clone(), id, decision.clone()));
        Ok(Json(DecideResponse { items: join_all(all).await }))
    }
}

impl ReviewApi {
    async fn page(
        &self,
        pile: Pile,
        cursor: Option<String>,
        limit: Option<i64>,
    ) -> Result<Json<Page<ReviewImage>>, ApiError> {
        let part = list::part::<1>(limit, cursor.as_deref())?;
        let after = part.after().map(|[id]| id);
        let found = desk::pile(&self.app, pile, after, part.fetch()).await?;
        Ok(Json(part.answer(found, None, |image| [image.id], ReviewImage::from)))
    }
}

async fn one(app: &App, actor: Actor, id: i64, decision: Decision) -> Decided {
    match decide_as(app, actor, id, decision).await {
        Ok(done) => Decided { id, status: Some(done.after.into()), error: None },
        Err(err) => {
            let code = ApiError::from(err).code();
            Decided { id, status: None, error: Some(code.name().to_owned()) }
        }
    }
}
