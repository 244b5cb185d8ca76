//! `/audit`: who changed what, from what, to what.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::AdminTag;
use super::auth::Viewer;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::audit::{self, AuditFilter, AuditRow};
use crate::http::{ApiError, ErrorCode, Page, PageQuery};

/// A change that was made.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AuditItem {
    id: i64,
    at: String,
    /// `admin:NAME`, `user:ID`, `wechat` or `system`.
    actor: String,
    /// What was done, such as `order.paid`.
    action: String,
    /// What it was done to, such as `order:…`.
    object: String,
    /// What changed, as it was.
    before: Value,
    /// What changed, as it is.
    after: Value,
    /// The request of an administrator's change.
    request_id: Option<String>,
    /// The address of his client.
    address: Option<String>,
}

impl From<AuditRow> for AuditItem {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            at: row.at.rfc3339(),
            actor: row.actor,
            action: row.action,
            object: row.object,
            before: row.before,
            after: row.after,
            request_id: row.request_id,
            address: row.address,
        }
    }
}

/// The audit log.
pub(super) struct AuditApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/audit", tag = "AdminTag::Audit")]
impl AuditApi {
    /// List the audit log
    ///
    /// The newest first. Filters can be combined.
    #[oai(path = "/", method = "get", operation_id = "listAuditLog")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the address")]
    async fn list(
        &self,
        _admin: Viewer,
        /// `admin:NAME`, `user:ID`, `wechat` or `system`.
        actor: Query<Option<String>>,
        /// Such as `order.refunded`.
        action: Query<Option<String>>,
        /// Such as `user:7`.
        object: Query<Option<String>>,
        /// Of an administrator's request.
        #[oai(name = "requestId")]
        request_id: Query<Option<String>>,
        /// From this time on: milliseconds since 1970.
        from: Query<Option<i64>>,
        /// Before this time: milliseconds since 1970.
        until: Query<Option<i64>>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<Page<AuditItem>>, ApiError> {
        let page = PageQuery::<1>::new(limit.0, cursor.0.as_deref(), None)?;
        let filter = AuditFilter {
            actor: actor.0,
            action: action.0,
            object: object.0,
            request_id: request_id.0,
            from: from.0.map(UnixMillis),
            until: until.0.map(UnixMillis),
        };
        let before = page.after().map(|[id]| id);
        let rows = audit::service::list(&self.app, filter, before, page.fetch()).await;
        let rows = rows.map_err(|err| ApiError::new((&err).into()).caused_by(err))?;
        Ok(Json(page.answer(rows, None, |row| [row.id], AuditItem::from)))
    }

    /// Read an entry of the audit log
    ///
    /// Errors: `NOT_FOUND`.
    #[oai(path = "/:entryId", method = "get", operation_id = "getAuditEntry")]
    async fn get(
        &self,
        _admin: Viewer,
        #[oai(name = "entryId")] id: Path<i64>,
    ) -> Result<Json<AuditItem>, ApiError> {
        let row = audit::service::by_id(&self.app, id.0).await;
        let row = row.map_err(|err| ApiError::new((&err).into()).caused_by(err))?;
        Ok(Json(row.ok_or(ErrorCode::NotFound)?.into()))
    }
}
