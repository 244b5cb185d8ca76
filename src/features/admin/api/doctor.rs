//! `/doctor`: what `dream-bff doctor` finds, asked of the server that runs.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::Operator;
use super::list::shown;
use crate::app::App;
use crate::base::bilingual::Language;
use crate::features::doctor::service::by_hand::{self as service, Busy, Examined};
use crate::features::doctor::{Level, ToldFinding};
use crate::http::{ApiError, Ctx, ErrorCode, MessageResponse};

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum FindingLevel {
    /// It is well, or not used.
    Pass,
    /// It works and will not for long, or could not be found out.
    Warn,
    /// Something does not work.
    Fail,
}

impl From<Level> for FindingLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Pass => Self::Pass,
            Level::Warn => Self::Warn,
            Level::Fail => Self::Fail,
        }
    }
}

/// What was found out about one thing; the same line as of the command, in the language that
/// `Accept-Language` prefers.
#[derive(Debug, Object)]
struct DoctorFinding {
    /// Stable, such as `disk`.
    check: String,
    level: FindingLevel,
    /// How it stands.
    message: String,
    /// How to mend it, or what to do with it.
    hint: Option<String>,
}

impl From<ToldFinding<'_>> for DoctorFinding {
    fn from(finding: ToldFinding<'_>) -> Self {
        Self {
            check: finding.check.to_owned(),
            level: finding.level.into(),
            message: finding.message.to_owned(),
            hint: finding.hint.map(ToOwned::to_owned),
        }
    }
}

/// An examination that has ended.
#[derive(Debug, Object)]
struct DoctorReport {
    at: String,
    /// The worst of all.
    level: FindingLevel,
    items: Vec<DoctorFinding>,
}

impl DoctorReport {
    fn of(examined: &Examined, language: Language) -> Self {
        let told = examined.report.told(language);
        Self {
            at: examined.at.rfc3339(),
            level: told.level.into(),
            items: told.findings.into_iter().map(DoctorFinding::from).collect(),
        }
    }
}

/// What is known of the server's health.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Doctor {
    /// Since when an examination is under way; null when none is.
    under_way_since: Option<String>,
    /// The last one; null when there was none since the start.
    report: Option<DoctorReport>,
}

/// Doctor.
pub(super) struct DoctorApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/doctor", tag = "AdminTag::System")]
impl DoctorApi {
    /// The last report
    #[oai(path = "/", method = "get", operation_id = "getDoctorReport")]
    async fn last(&self, _admin: Operator, ctx: Ctx) -> Result<Json<Doctor>, ApiError> {
        let last = service::last(&self.app);
        Ok(Json(Doctor {
            under_way_since: shown(service::under_way(&self.app)),
            report: last.map(|examined| DoctorReport::of(&examined, ctx.language())),
        }))
    }

    /// Examine now
    ///
    /// Changes nothing, here and outside. It begins at once and goes on by itself for half a minute at
    /// most. Errors: `INVALID_STATE` while another examination is under way.
    #[oai(path = "/examine", method = "post", operation_id = "examineNow")]
    async fn examine(&self, _admin: Operator) -> Result<Json<MessageResponse>, ApiError> {
        service::start(&self.app)?;
        Ok(Json(MessageResponse::new("检查已开始")))
    }
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        Self::new(ErrorCode::InvalidState)
            .message("检查正在进行，请稍候", "An examination is under way; wait for its end")
            .caused_by(busy)
    }
}
