//! `/points/…` and `/users/me/invites`.

use std::sync::Arc;
use std::time::Duration;

use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::model::{
    CheckedIn, Invited, Invites, Pack, PointsError, Redeemed, Totals, Transaction,
    TransactionType as Kind,
};
use super::service;
use crate::app::App;
use crate::app::cache::LoadCache;
use crate::features::auth::UserAuth;
use crate::features::idempotency::{self, Answer, Answered, IdempotencyKey};
use crate::features::users::NAMELESS;
use crate::http::{ApiError, ErrorCode, JsonBody, JsonBytes, Page, PageQuery, Tag};

/// Versions of the list of packs that are kept in memory: the one that holds, and the one before.
const PACKS_KEPT: u64 = 2;

/// How long the list of packs is kept in memory.
const PACKS_LIFE: Duration = Duration::from_secs(300);

/// The caller's points.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PointsBalance {
    balance: i64,
    /// All that ever came, given back points not counted.
    total_earned: i64,
    /// All that ever went, less what was given back.
    total_spent: i64,
}

impl From<Totals> for PointsBalance {
    fn from(totals: Totals) -> Self {
        Self {
            balance: totals.balance,
            total_earned: totals.earned,
            total_spent: totals.spent.saturating_sub(totals.refunded),
        }
    }
}

/// The direction of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum TransactionType {
    Earn,
    Spend,
    /// Gives back what a `SPEND` took.
    Refund,
}

impl From<TransactionType> for Kind {
    fn from(kind: TransactionType) -> Self {
        match kind {
            TransactionType::Earn => Self::Earn,
            TransactionType::Spend => Self::Spend,
            TransactionType::Refund => Self::Refund,
        }
    }
}

impl From<Kind> for TransactionType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Earn => Self::Earn,
            Kind::Spend => Self::Spend,
            Kind::Refund => Self::Refund,
        }
    }
}

/// A booking.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PointsTransaction {
    id: i64,
    #[oai(rename = "type")]
    kind: TransactionType,
    /// Always positive; `type` says whether they came or went.
    amount: i64,
    description: String,
    /// The balance after this booking.
    balance_after: i64,
    /// What it was for: `sign_up`, `check_in`, `invite`, `redeem`, `order`, `job`, …
    reason: String,
    /// The order, job or day it was for.
    reference: Option<String>,
    created_at: String,
}

impl From<Transaction> for PointsTransaction {
    fn from(row: Transaction) -> Self {
        Self {
            id: row.id,
            kind: row.kind.into(),
            amount: row.amount,
            description: row.description,
            balance_after: row.balance_after,
            reason: row.reason,
            reference: row.reference,
            created_at: row.created_at.rfc3339(),
        }
    }
}

/// What is for sale.
#[derive(Debug, Object)]
struct PointsPacks {
    items: Vec<PointsPack>,
}

/// Points for money. Prices in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PointsPack {
    id: String,
    name: String,
    points: i64,
    /// On top of `points`.
    bonus_points: i64,
    original_price: i64,
    current_price: i64,
    popular: bool,
}

impl From<Pack> for PointsPack {
    fn from(pack: Pack) -> Self {
        Self {
            id: pack.id,
            name: pack.name,
            points: pack.points,
            bonus_points: pack.bonus_points,
            original_price: pack.original_price,
            current_price: pack.current_price,
            popular: pack.is_popular,
        }
    }
}

/// A check-in that counted.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CheckInResponse {
    balance: i64,
    earned: i64,
    /// Days in a row, this one included.
    streak: i64,
}

/// A code to be redeemed.
#[derive(Debug, Object)]
struct RedeemRequest {
    /// Capitals, spaces and hyphens make no difference.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: String,
}

/// A code that was redeemed.
#[derive(Debug, Object)]
struct RedeemResponse {
    balance: i64,
    earned: i64,
}

/// Those whom the caller brought.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct InvitesResponse {
    /// For `inviteCode` of `POST /auth/wechat-login`.
    invite_code: String,
    invited_count: i64,
    /// Points for them, in all.
    earned: i64,
    /// The newest 100.
    items: Vec<InvitedUser>,
}

/// Somebody whom the caller brought.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct InvitedUser {
    nick_name: String,
    /// Whether the caller got points for him.
    rewarded: bool,
    points: i64,
    created_at: String,
}

impl From<Invited> for InvitedUser {
    fn from(invited: Invited) -> Self {
        Self {
            nick_name: invited.nick_name.unwrap_or_else(|| NAMELESS.to_owned()),
            rewarded: invited.points.is_some(),
            points: invited.points.unwrap_or(0),
            created_at: invited.created_at.rfc3339(),
        }
    }
}

impl From<Invites> for InvitesResponse {
    fn from(invites: Invites) -> Self {
        Self {
            invite_code: invites.code,
            invited_count: invites.invited_count,
            earned: invites.earned,
            items: invites.items.into_iter().map(InvitedUser::from).collect(),
        }
    }
}

/// The list of packs, ready to send, by the version of the list.
struct KeptPacks(LoadCache<u64, JsonBytes<PointsPacks>>);

impl Default for KeptPacks {
    fn default() -> Self {
        Self(LoadCache::new(PACKS_KEPT, PACKS_LIFE))
    }
}

/// Points.
pub struct PointsApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/points", tag = "Tag::Points")]
impl PointsApi {
    /// My points
    #[oai(path = "/balance", method = "get", operation_id = "getPointsBalance")]
    async fn balance(&self, user: UserAuth) -> Result<Json<PointsBalance>, ApiError> {
        Ok(Json(service::totals(&self.app, user.id())?.into()))
    }

    /// My bookings
    ///
    /// Newest first.
    #[oai(path = "/transactions", method = "get", operation_id = "listPointsTransactions")]
    async fn transactions(
        &self,
        user: UserAuth,
        /// Only those of one direction.
        r#type: Query<Option<TransactionType>>,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`.
        page: Query<Option<i64>>,
    ) -> Result<Json<Page<PointsTransaction>>, ApiError> {
        let query = PageQuery::new(limit.0, cursor.0.as_deref(), page.0)?;
        let kind = r#type.0.map(Kind::from);
        let (rows, total) = service::transactions(&self.app, user.id(), kind, query).await?;
        let keys = |row: &Transaction| [row.created_at.0, row.id];
        Ok(Json(query.answer(rows, total, keys, PointsTransaction::from)))
    }

    /// Points packs
    ///
    /// What `POST /points/recharge` sells. Public.
    #[oai(path = "/packs", method = "get", operation_id = "listPointsPacks")]
    async fn packs(&self) -> Result<JsonBytes<PointsPacks>, ApiError> {
        let kept = self.app.states.get::<KeptPacks>();
        let version = service::packs::version(&self.app);
        if let Some(packs) = kept.0.get(version) {
            return Ok(packs);
        }
        let load = || {
            let items =
                service::packs_on_sale(&self.app)?.into_iter().map(PointsPack::from).collect();
            Ok::<_, ApiError>(JsonBytes::of(&PointsPacks { items }).with_etag())
        };
        kept.0.load(version, load)
    }

    /// Check in
    ///
    /// Once a calendar day in Asia/Shanghai; the more days in a row, the more points.
    /// Errors: `INVALID_STATE` (checked in today already), `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/check-in", method = "post", operation_id = "checkIn")]
    async fn check_in(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
    ) -> Result<Answered<CheckInResponse>, ApiError> {
        let id = user.id();
        let effect = |ticket| service::check_in::check_in(&self.app, id, ticket, checked_in);
        Ok(idempotency::service::run(&self.app, key.of(id), effect).await?.into())
    }

    /// Redeem a code
    ///
    /// Errors: `CODE_NOT_FOUND`, `INVALID_STATE` (used or expired), `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/redeem", method = "post", operation_id = "redeemCode")]
    async fn redeem(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<RedeemRequest>,
    ) -> Result<Answered<RedeemResponse>, ApiError> {
        let (id, code) = (user.id(), &body.0.code);
        let effect = |ticket| service::redeem::redeem(&self.app, id, code, ticket, redeemed);
        Ok(idempotency::service::run(&self.app, key.of(id), effect).await?.into())
    }
}

fn checked_in(done: &CheckedIn) -> Answer {
    let CheckedIn { balance, earned, streak } = *done;
    Answer::json(200, &CheckInResponse { balance, earned, streak })
}

fn redeemed(done: &Redeemed) -> Answer {
    let Redeemed { balance, earned } = *done;
    Answer::json(200, &RedeemResponse { balance, earned })
}

/// Invitations.
pub struct InvitesApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/users/me", tag = "Tag::Users")]
impl InvitesApi {
    /// My invitations
    ///
    /// The code to invite with, and the users who came with it.
    #[oai(path = "/invites", method = "get", operation_id = "listMyInvites")]
    async fn invites(&self, user: UserAuth) -> Result<Json<InvitesResponse>, ApiError> {
        Ok(Json(service::invites::invites(&self.app, user.id()).await?.into()))
    }
}

impl From<PointsError> for ApiError {
    fn from(err: PointsError) -> Self {
        let code = match err {
            PointsError::Idempotency(err) => return err.into(),
            PointsError::Db(err) => return err.into(),
            PointsError::Insufficient => ErrorCode::InsufficientPoints,
            PointsError::NoSuchUser => ErrorCode::UserNotFound,
            PointsError::CodeNotFound => ErrorCode::CodeNotFound,
            PointsError::CheckedIn => {
                return Self::new(ErrorCode::InvalidState)
                    .message("今天已经签到过了", "You have checked in today");
            }
            PointsError::CodeSpent => {
                return Self::new(ErrorCode::InvalidState)
                    .message("兑换码已被使用或已过期", "The code was used or has expired");
            }
            PointsError::Batch(field) | PointsError::Pack(field) => {
                return Self::invalid_field(field);
            }
            PointsError::PackNotFound => ErrorCode::PackNotFound,
            PointsError::BatchNotFound => ErrorCode::NotFound,
            PointsError::PackExists => {
                return Self::new(ErrorCode::InvalidState)
                    .message("该积分包编号已存在", "There is a pack of this id already");
            }
            PointsError::Outdated => return Self::outdated(),
            // Callers sort these out; reaching a client means a bug of ours.
            PointsError::AlreadyBooked | PointsError::Amount(_) => ErrorCode::InternalError,
        };
        Self::new(code).caused_by(err)
    }
}
