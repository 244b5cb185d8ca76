//! `/audit`: who changed what, from what, to what.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::AdminTag;
use super::auth::Viewer;
use super::csv::{self, Csv, Sheet, or_empty};
use super::list;
use crate::app::App;
use crate::features::audit::{self, AuditFilter, AuditRow};
use crate::http::{ApiError, ErrorCode, Page};

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

fn sheet() -> Sheet<AuditRow, i64> {
    Sheet {
        name: "audit.csv",
        columns: &[
            "id",
            "at",
            "actor",
            "action",
            "object",
            "before",
            "after",
            "requestId",
            "address",
        ],
        keys: |row| row.id,
        record: |row| {
            vec![
                row.id.to_string(),
                row.at.rfc3339(),
                row.actor.clone(),
                row.action.clone(),
                row.object.clone(),
                row.before.to_string(),
                row.after.to_string(),
                or_empty(row.request_id.as_ref()),
                or_empty(row.address.as_ref()),
            ]
        },
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
        /// Made at this time or later: RFC 3339 or a day.
        from: Query<Option<String>>,
        /// Made before this time.
        to: Query<Option<String>>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<Page<AuditItem>>, ApiError> {
        let filter = AuditFilter {
            actor: actor.0,
            action: action.0,
            object: object.0,
            request_id: request_id.0,
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
        };
        let part = list::part::<1>(limit.0, cursor.0.as_deref())?;
        let before = part.after().map(|[id]| id);
        let rows = audit::service::list(&self.app, filter, before, part.fetch()).await?;
        Ok(Json(part.answer(rows, None, |row| [row.id], AuditItem::from)))
    }

    /// Export the audit log
    ///
    /// As CSV, with the filters of the list; what changed as JSON.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportAuditLog")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the address")]
    async fn export(
        &self,
        _admin: Viewer,
        actor: Query<Option<String>>,
        action: Query<Option<String>>,
        object: Query<Option<String>>,
        #[oai(name = "requestId")] request_id: Query<Option<String>>,
        from: Query<Option<String>>,
        to: Query<Option<String>>,
    ) -> Result<Csv, ApiError> {
        let filter = AuditFilter {
            actor: actor.0,
            action: action.0,
            object: object.0,
            request_id: request_id.0,
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
        };
        csv::export(&self.app, sheet(), filter, |app, filter, before, fetch| async move {
            audit::service::list(&app, filter, before, fetch).await
        })
        .await
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
        let row = audit::service::by_id(&self.app, id.0).await?;
        Ok(Json(row.ok_or(ErrorCode::NotFound)?.into()))
    }
}
