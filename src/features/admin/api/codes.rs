//! `/codes`: redeem codes in batches.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::{Operator, OperatorSteppedUp, Viewer};
use super::csv::{self, Csv, Sheet, or_empty};
use super::list::{self, ReasonRequest, said, shown};
use crate::app::App;
use crate::features::points::service::codes;
use crate::features::points::{Batch, BatchId, BatchRecord, CodeRecord};
use crate::http::{ApiError, JsonBody, Page};

/// The most points that a code gives.
const POINTS_MAX: i64 = 1_000_000;

/// A batch of codes, and what became of it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CodeBatch {
    batch_id: i64,
    name: String,
    /// What each code gives.
    points: i64,
    expires_at: Option<String>,
    created_by: String,
    created_at: String,
    /// Since when none of its codes can be used.
    revoked_at: Option<String>,
    codes: i64,
    redeemed: i64,
}

impl From<BatchRecord> for CodeBatch {
    fn from(batch: BatchRecord) -> Self {
        Self {
            batch_id: batch.id.0,
            name: batch.name,
            points: batch.points,
            expires_at: shown(batch.expires_at),
            created_by: batch.created_by,
            created_at: batch.created_at.rfc3339(),
            revoked_at: shown(batch.revoked_at),
            codes: batch.codes,
            redeemed: batch.redeemed,
        }
    }
}

/// A code, and what became of it. It is used once.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RedeemCode {
    code: String,
    batch_id: i64,
    redeemed_by: Option<i64>,
    redeemed_at: Option<String>,
    revoked_at: Option<String>,
}

impl From<CodeRecord> for RedeemCode {
    fn from(code: CodeRecord) -> Self {
        Self {
            code: code.code,
            batch_id: code.batch.0,
            redeemed_by: code.redeemed_by.map(|id| id.0),
            redeemed_at: shown(code.redeemed_at),
            revoked_at: shown(code.revoked_at),
        }
    }
}

/// A part of the codes of a batch, in the order of codes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RedeemCodes {
    items: Vec<RedeemCode>,
    has_more: bool,
    /// What is behind these; null at the end.
    next_cursor: Option<String>,
}

/// A batch to be made.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CreateCodesRequest {
    /// For administrators; 1–64 characters.
    #[oai(validator(min_length = 1, max_length = 64))]
    name: String,
    /// What each code gives, 1–1 000 000.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
    points: i64,
    /// How many codes, 1–1000.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    count: u32,
    /// RFC 3339 or a day; for good when it is left out.
    expires_at: Option<String>,
}

/// A new batch with its codes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CreatedCodes {
    batch: CodeBatch,
    codes: Vec<String>,
}

/// A code to be revoked.
#[derive(Debug, Object)]
struct RevokeCodeRequest {
    /// However it is typed.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: String,
    /// Why; 1–200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    reason: String,
}

/// Redeem codes.
pub(super) struct CodesApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/codes", tag = "AdminTag::Codes")]
impl CodesApi {
    /// List the batches
    ///
    /// The newest first.
    #[oai(path = "/batches", method = "get", operation_id = "listCodeBatches")]
    async fn batches(
        &self,
        _admin: Viewer,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<CodeBatch>>, ApiError> {
        let part = list::part::<1>(limit.0, cursor.0.as_deref())?;
        let before = part.after().map(|[id]| id);
        let found = codes::batches(&self.app, before, part.fetch()).await?;
        Ok(Json(part.answer(found, None, |batch| [batch.id.0], CodeBatch::from)))
    }

    /// Make a batch
    ///
    /// Each code is used once. Errors: `INVALID_REQUEST` naming the field.
    #[oai(path = "/batches", method = "post", operation_id = "createCodes")]
    async fn create(
        &self,
        admin: OperatorSteppedUp,
        body: JsonBody<CreateCodesRequest>,
    ) -> Result<Json<CreatedCodes>, ApiError> {
        let CreateCodesRequest { name, points, count, expires_at } = body.0;
        if !(1..=POINTS_MAX).contains(&points) {
            return Err(ApiError::invalid_field("points"));
        }
        let expires_at = list::time("expiresAt", expires_at.as_deref())?;
        if expires_at.is_some_and(|end| end <= self.app.clock.now()) {
            return Err(ApiError::invalid_field("expiresAt"));
        }
        let (name, created_by) = (said("name", &name)?, admin.username.clone());
        let batch = Batch { name, points, count, expires_at, created_by };
        let (id, codes) = codes::create(&self.app, batch, admin.actor()).await?;
        let batch = codes::batch(&self.app, id)?.into();
        Ok(Json(CreatedCodes { batch, codes }))
    }

    /// List the codes of a batch
    ///
    /// A code is worth money until it is used: they are for operators. Errors: `NOT_FOUND`.
    #[oai(path = "/batches/:id/codes", method = "get", operation_id = "listCodes")]
    async fn codes(
        &self,
        _admin: Operator,
        id: Path<i64>,
        /// Behind this code.
        cursor: Query<Option<String>>,
        /// 1–1000.
        limit: Query<Option<i64>>,
    ) -> Result<Json<RedeemCodes>, ApiError> {
        let limit = limit.0.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(ApiError::invalid_field("limit"));
        }
        let id = codes::batch(&self.app, BatchId(id.0))?.id;
        let fetch = limit.saturating_add(1);
        let mut found = codes::of_batch(&self.app, id, cursor.0, fetch).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = found.len() > most;
        found.truncate(most);
        let last = found.last().map(|code| code.code.clone());
        let items = found.into_iter().map(RedeemCode::from).collect();
        Ok(Json(RedeemCodes { items, has_more, next_cursor: last.filter(|_| has_more) }))
    }

    /// Export the codes of a batch
    ///
    /// As CSV. Errors: `NOT_FOUND`.
    #[oai(path = "/batches/:id/export.csv", method = "get", operation_id = "exportCodes")]
    async fn export(&self, _admin: Operator, id: Path<i64>) -> Result<Csv, ApiError> {
        let id = codes::batch(&self.app, BatchId(id.0))?.id;
        let sheet = Sheet {
            name: "codes.csv",
            columns: &["code", "redeemedBy", "redeemedAt", "revokedAt"],
            keys: |code: &CodeRecord| code.code.clone(),
            record: |code| {
                vec![
                    code.code.clone(),
                    or_empty(code.redeemed_by),
                    or_empty(shown(code.redeemed_at)),
                    or_empty(shown(code.revoked_at)),
                ]
            },
        };
        csv::export(&self.app, sheet, id, |app, id, after, fetch| async move {
            codes::of_batch(&app, id, after, fetch).await
        })
        .await
    }

    /// Revoke a batch
    ///
    /// No code of it can be used from now on; what was used stays. Errors: `NOT_FOUND`.
    #[oai(path = "/batches/:id/revoke", method = "post", operation_id = "revokeCodeBatch")]
    async fn revoke_batch(
        &self,
        admin: Operator,
        id: Path<i64>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<CodeBatch>, ApiError> {
        let (id, reason) = (BatchId(id.0), body.0.reason()?);
        codes::revoke_batch(&self.app, id, admin.actor(), reason).await?;
        Ok(Json(codes::batch(&self.app, id)?.into()))
    }

    /// Find a code
    ///
    /// However it is typed. Errors: `CODE_NOT_FOUND`.
    #[oai(path = "/find", method = "get", operation_id = "findCode")]
    async fn find(
        &self,
        _admin: Operator,
        code: Query<String>,
    ) -> Result<Json<RedeemCode>, ApiError> {
        Ok(Json(codes::find(&self.app, &code.0)?.into()))
    }

    /// Revoke a code
    ///
    /// Errors: `CODE_NOT_FOUND`; `INVALID_STATE` when it was used.
    #[oai(path = "/revoke", method = "post", operation_id = "revokeCode")]
    async fn revoke(
        &self,
        admin: Operator,
        body: JsonBody<RevokeCodeRequest>,
    ) -> Result<Json<RedeemCode>, ApiError> {
        let RevokeCodeRequest { code, reason } = body.0;
        let reason = said("reason", &reason)?;
        codes::revoke(&self.app, &code, admin.actor(), reason).await?;
        Ok(Json(codes::find(&self.app, &code)?.into()))
    }
}
