//! `/search` and `/timeline`: find anything, and see what happened to it.

use std::sync::Arc;

use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::Value;

use super::AdminTag;
use super::auth::Viewer;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::features::admin::model::search::{Hit, HitKind};
use crate::features::admin::model::timeline::{Entry, EntryKind};
use crate::features::admin::service::search;
use crate::features::admin::service::timeline::{self, About};
use crate::http::{ApiError, Page, PageQuery};

/// Longest text that is searched for.
const MAX_QUERY: usize = 128;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "camelCase")]
enum SearchKind {
    User,
    Order,
    Refund,
    Job,
    RedeemCode,
    /// An entry of the audit log.
    Audit,
}

/// Something that was found.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct SearchHit {
    kind: SearchKind,
    /// Of a user his number, of an order its number, and so on.
    id: String,
    /// To be shown: a name, a product, a state.
    title: String,
    /// By which of its names it was found, such as `openid` or `requestId`.
    matched: String,
    user_id: Option<i64>,
    at: Option<String>,
}

impl From<Hit> for SearchHit {
    fn from(hit: Hit) -> Self {
        Self {
            kind: match hit.kind {
                HitKind::User => SearchKind::User,
                HitKind::Order => SearchKind::Order,
                HitKind::Refund => SearchKind::Refund,
                HitKind::Job => SearchKind::Job,
                HitKind::RedeemCode => SearchKind::RedeemCode,
                HitKind::Audit => SearchKind::Audit,
            },
            id: hit.id,
            title: hit.title,
            matched: hit.matched.to_owned(),
            user_id: hit.user.map(|user| user.0),
            at: hit.at.map(UnixMillis::rfc3339),
        }
    }
}

/// What was found, the most telling first; thirty at most.
#[derive(Debug, Object)]
struct SearchResponse {
    items: Vec<SearchHit>,
}

/// What an entry of a timeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "camelCase")]
enum TimelineKind {
    /// A log-in of the user.
    Login,
    /// An order was placed.
    Order,
    /// An order was paid.
    Payment,
    /// WeChat told something, or was asked; the body is masked.
    Notification,
    Refund,
    /// A booking of points.
    Ledger,
    /// A membership was granted.
    Membership,
    /// A job was submitted.
    Job,
    /// An image API began with it.
    JobStarted,
    JobEnded,
    /// A picture was published.
    Image,
    /// An administrator, a rule or WeChat changed something.
    Audit,
    /// An image API tried to make a job; of a job's timeline alone.
    Attempt,
}

impl From<EntryKind> for TimelineKind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Login => Self::Login,
            EntryKind::Order => Self::Order,
            EntryKind::Payment => Self::Payment,
            EntryKind::Notification => Self::Notification,
            EntryKind::Refund => Self::Refund,
            EntryKind::Ledger => Self::Ledger,
            EntryKind::Membership => Self::Membership,
            EntryKind::Job => Self::Job,
            EntryKind::JobStarted => Self::JobStarted,
            EntryKind::JobEnded => Self::JobEnded,
            EntryKind::Image => Self::Image,
            EntryKind::Audit => Self::Audit,
            EntryKind::Attempt => Self::Attempt,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Object)]
struct TimelineEntry {
    at: String,
    kind: TimelineKind,
    /// What is in it depends on the kind; times in it are milliseconds since 1970, money is fen.
    data: Value,
}

impl From<Entry> for TimelineEntry {
    fn from(entry: Entry) -> Self {
        Self { at: entry.at.rfc3339(), kind: entry.kind.into(), data: entry.data }
    }
}

/// Finding things and what happened to them.
pub(super) struct FindApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Find")]
impl FindApi {
    /// Find anything
    ///
    /// By order number, refund number, WeChat's transaction or refund id, openid, user number, beginning of
    /// a nickname, job id, the image API's job id, request id, or redeem code.
    #[oai(path = "/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        _admin: Viewer,
        q: Query<String>,
    ) -> Result<Json<SearchResponse>, ApiError> {
        let query = q.0.trim();
        if query.is_empty() || query.chars().count() > MAX_QUERY || query.contains('\0') {
            return Err(ApiError::invalid_field("q"));
        }
        let hits = search::find(&self.app, query).await?;
        Ok(Json(SearchResponse { items: hits.into_iter().map(SearchHit::from).collect() }))
    }

    /// What happened
    ///
    /// To one of `user`, `order` and `job`: the newest first. Errors: `NOT_FOUND` for an order or job that is
    /// not there.
    #[oai(path = "/timeline", method = "get", operation_id = "getTimeline")]
    async fn timeline(
        &self,
        _admin: Viewer,
        user: Query<Option<i64>>,
        order: Query<Option<String>>,
        job: Query<Option<String>>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<Page<TimelineEntry>>, ApiError> {
        let about = match (user.0, order.0, job.0) {
            (Some(user), None, None) => About::User(UserId(user)),
            (None, Some(order), None) => About::Order(order),
            (None, None, Some(job)) => About::Job(job),
            _ => return Err(ApiError::invalid_field("user")),
        };
        let page = PageQuery::<3>::new(limit.0, cursor.0.as_deref(), None)?;
        let entries = timeline::page(&self.app, about, page.after(), page.fetch()).await?;
        Ok(Json(page.answer(entries, None, Entry::keys, TimelineEntry::from)))
    }
}
