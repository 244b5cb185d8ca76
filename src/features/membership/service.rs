//! Reading the caller's membership.

use super::model::{Info, InfoError, remaining_days};
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::{generations, settings, users, vip};

/// The membership and the quota of a user, as of one moment.
///
/// # Errors
/// `NoSuchUser`, and what the database fails with.
pub(super) fn info(app: &App, user: UserId) -> Result<Info, InfoError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    app.db.read_inline("membership.info", |tx| {
        let user = users::service::find(tx, user)?.ok_or(InfoError::NoSuchUser)?;
        let quota = generations::service::quota_of(tx, &settings, &user, now)?;
        let expires_at = user.vip_expire_at.filter(|end| *end > now);
        Ok(Info {
            expires_at,
            remaining_days: expires_at.map_or(0, |end| remaining_days(end, now)),
            benefits: vip::service::plans::benefits(tx, quota.level)?,
            quota,
        })
    })
}
