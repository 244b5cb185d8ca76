//! `/alerts`: how the rules stand, who is told, and whether a message arrives.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::{Owner, Viewer};
use super::list::shown;
use crate::app::App;
use crate::base::bilingual::Language;
use crate::features::alerts::{AlertError, AlertState, ChannelStatus, Tried, service};
use crate::http::{ApiError, Ctx, ErrorCode};

/// How a rule stands.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AlertRule {
    /// Stable, such as `paid_not_credited`.
    rule: String,
    /// Whether the problem is there and has lasted long enough to be told.
    is_firing: bool,
    /// Since when there is a problem; null when all is well.
    since: Option<String>,
    /// What is wrong, in the language that `Accept-Language` prefers.
    problem: Option<String>,
    /// When it last began to fire, and when it last ended.
    fired_at: Option<String>,
    ended_at: Option<String>,
    /// When somebody last took a message about it.
    told_at: Option<String>,
}

impl AlertRule {
    fn of(state: &AlertState, language: Language) -> Self {
        Self {
            rule: state.rule.name().to_owned(),
            is_firing: state.firing,
            since: shown(state.since),
            problem: state.problem.as_ref().map(|problem| problem.text(language).to_owned()),
            fired_at: shown(state.fired_at),
            ended_at: shown(state.ended_at),
            told_at: shown(state.told_at),
        }
    }
}

/// A channel; its address and secret are never shown.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AlertChannel {
    /// `wecom`, `feishu` or `webhook`.
    name: String,
    is_on: bool,
    has_address: bool,
    has_secret: bool,
}

impl From<ChannelStatus> for AlertChannel {
    fn from(channel: ChannelStatus) -> Self {
        let ChannelStatus { name, is_on, has_address, has_secret } = channel;
        Self { name: name.to_owned(), is_on, has_address, has_secret }
    }
}

/// The rules, and who is told.
#[derive(Debug, Object)]
struct AlertRules {
    rules: Vec<AlertRule>,
    channels: Vec<AlertChannel>,
}

/// What a channel answered.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct TestedChannel {
    /// `wecom`, `feishu` or `webhook`.
    name: String,
    is_taken: bool,
    /// Why the message was not taken, in the language that `Accept-Language` prefers.
    problem: Option<String>,
}

impl TestedChannel {
    fn of((name, taken): &Tried, language: Language) -> Self {
        let problem = taken.as_ref().err().map(|problem| problem.text(language).to_owned());
        Self { name: (*name).to_owned(), is_taken: taken.is_ok(), problem }
    }
}

/// What all of them answered.
#[derive(Debug, Object)]
struct TestedChannels {
    items: Vec<TestedChannel>,
}

/// Alerts.
pub(super) struct AlertsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/alerts", tag = "AdminTag::System")]
impl AlertsApi {
    /// How the rules stand
    ///
    /// And which channels there are. Addresses, secrets and thresholds are the section `alerts` of the
    /// settings.
    #[oai(path = "/", method = "get", operation_id = "getAlerts")]
    async fn rules(&self, _admin: Viewer, ctx: Ctx) -> Result<Json<AlertRules>, ApiError> {
        let (states, language) = (service::states(&self.app), ctx.language());
        Ok(Json(AlertRules {
            rules: states.iter().map(|state| AlertRule::of(state, language)).collect(),
            channels: service::channels(&self.app).into_iter().map(AlertChannel::from).collect(),
        }))
    }

    /// Send a test message
    ///
    /// Through every channel that is on; says what each answered, after ten seconds at most. Errors:
    /// `INVALID_STATE` when none is on; `RATE_LIMIT_EXCEEDED` beyond `maxPerHour` of the settings.
    #[oai(path = "/test", method = "post", operation_id = "testAlerts")]
    async fn test(&self, admin: Owner, ctx: Ctx) -> Result<Json<TestedChannels>, ApiError> {
        let (tried, language) =
            (service::send_test(&self.app, admin.actor()).await?, ctx.language());
        let items = tried.iter().map(|tried| TestedChannel::of(tried, language)).collect();
        Ok(Json(TestedChannels { items }))
    }
}

impl From<AlertError> for ApiError {
    fn from(err: AlertError) -> Self {
        let answer = match &err {
            AlertError::NoChannel => Self::new(ErrorCode::InvalidState)
                .message("没有启用任何告警渠道", "No channel for alerts is on"),
            AlertError::TooMany => Self::new(ErrorCode::RateLimitExceeded).message(
                "一小时内的告警消息已达上限，请稍后再试",
                "There were as many messages within an hour as the settings allow",
            ),
            AlertError::Db(db) => Self::new(db.into()),
        };
        answer.caused_by(err)
    }
}
