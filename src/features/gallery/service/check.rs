//! What is asked before a picture is published.

use crate::app::App;
use crate::base::ids::UserId;
use crate::db::DbError;
use crate::features::gallery::model::Verdict;
use crate::features::moderation::{self, Opinion};
use crate::features::settings::{self, Checker};

/// Whether a picture with this prompt and these tags may be public. Asked outside any transaction,
/// since WeChat may be asked; it is held when nobody can tell.
///
/// # Errors
/// What the database fails with.
pub(super) async fn check(
    app: &App,
    author: UserId,
    prompt: &str,
    tags: &[String],
) -> Result<Verdict, DbError> {
    let settings = settings::service::current(app);
    // A tag on a line of its own: the end of one and the beginning of the next are no word.
    let text = std::iter::once(prompt).chain(tags.iter().map(String::as_str));
    let text = text.collect::<Vec<_>>().join("\n");
    Ok(match moderation::service::texts::public_text(app, author, &text).await? {
        Opinion::Reject => Verdict::Reject,
        Opinion::Unsure => Verdict::Hold,
        Opinion::Pass if settings.gallery.hold_for_review => Verdict::Hold,
        Opinion::Pass if settings.moderation.checker == Checker::Wechat => Verdict::CheckPicture,
        Opinion::Pass => Verdict::Pass,
    })
}
