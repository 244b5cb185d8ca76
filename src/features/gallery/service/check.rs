//! What is asked before a picture is published.

use crate::app::App;
use crate::features::gallery::model::Verdict;
use crate::features::settings;

/// Whether a picture with this prompt and these tags may be public. Asked outside any transaction,
/// since a check may call outside; it answers `Hold` when it cannot tell.
pub(super) fn check(app: &App) -> Verdict {
    if settings::service::current(app).gallery.hold_for_review {
        return Verdict::Hold;
    }
    Verdict::Pass
}
