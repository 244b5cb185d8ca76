//! Looking at texts. Asked outside any transaction, since WeChat may be asked.

use super::words;
use crate::app::App;
use crate::base::ids::UserId;
use crate::clients::wechat::{CheckScene, CheckedText, Verdict};
use crate::db::DbError;
use crate::features::moderation::model::Opinion;
use crate::features::settings::{self, Checker, WhenUnavailable};
use crate::features::users;

/// Whether a user may have pictures made of this prompt. What WeChat is not sure of he may not; when
/// WeChat cannot be asked, the setting decides.
///
/// # Errors
/// What the database fails with.
pub async fn is_prompt_allowed(app: &App, user: UserId, prompt: &str) -> Result<bool, DbError> {
    let without = settings::service::current(app).moderation.prompts_when_unavailable;
    Ok(match opinion(app, user, prompt).await? {
        Some(opinion) => opinion == Opinion::Pass,
        None => without == WhenUnavailable::Allow,
    })
}

/// What is thought of a text that everybody is going to see; `Unsure` too when nobody can be asked.
///
/// # Errors
/// What the database fails with.
pub async fn public_text(app: &App, user: UserId, text: &str) -> Result<Opinion, DbError> {
    Ok(opinion(app, user, text).await?.unwrap_or(Opinion::Unsure))
}

/// `None` when WeChat should be asked and cannot be.
async fn opinion(app: &App, user: UserId, text: &str) -> Result<Option<Opinion>, DbError> {
    let checker = settings::service::current(app).moderation.checker;
    if checker == Checker::Off {
        return Ok(Some(Opinion::Pass));
    }
    if words::is_in(app, text) {
        return Ok(Some(Opinion::Reject));
    }
    if checker == Checker::Words {
        return Ok(Some(Opinion::Pass));
    }
    let author = app.db.read_inline("moderation.author", |tx| users::service::find(tx, user))?;
    // Deleted since his token was checked.
    let Some(author) = author else { return Ok(Some(Opinion::Reject)) };
    let text = CheckedText { openid: &author.openid, scene: CheckScene::SocialLog, content: text };
    match app.weixin.check_text(text).await {
        Ok(found) => Ok(Some(match found.verdict {
            Verdict::Pass => Opinion::Pass,
            Verdict::Review => Opinion::Unsure,
            Verdict::Risky => Opinion::Reject,
        })),
        Err(err) => {
            tracing::warn!(error = %err, "WeChat does not say what it thinks of a text");
            Ok(None)
        }
    }
}
