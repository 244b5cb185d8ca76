//! The daily check-in.

use crate::app::App;
use crate::base::ids::UserId;
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::points::model::{CheckedIn, Entry, PointsError, Reason, streak};
use crate::features::points::store;
use crate::features::settings;

/// Checks the user in for today (Asia/Shanghai). `answer` renders it, to be stored with it.
///
/// # Errors
/// `CheckedIn` when the day has counted already; `NoSuchUser`; what the database fails with.
pub(in crate::features::points) async fn check_in(
    app: &App,
    user: UserId,
    ticket: Ticket,
    answer: fn(&CheckedIn) -> Answer,
) -> Result<Answer, PointsError> {
    let now = app.clock.now();
    let today = now.shanghai_date();
    let settings = settings::service::current(app);
    let answer = app
        .db
        .write("points.check_in", move |tx| {
            let last = store::check_ins::last(tx, user)?;
            let streak = streak(last.as_ref(), today).ok_or(PointsError::CheckedIn)?;
            let earned = settings.economy.check_in_points(streak);
            let day = today.to_string();
            if !store::check_ins::insert(tx, user, &day, streak, earned, now)? {
                return Err(PointsError::CheckedIn);
            }
            let balance = if earned > 0 {
                let entry = Entry {
                    user,
                    amount: earned,
                    reason: Reason::CheckIn,
                    reference: format!("{user}:{day}"),
                    description: format!("每日签到（连续 {streak} 天）"),
                };
                super::earn(tx, &entry, now)?
            } else {
                store::totals(tx, user)?.ok_or(PointsError::NoSuchUser)?.balance
            };
            let answer = answer(&CheckedIn { balance, earned, streak });
            idempotency::service::store_in(tx, &ticket, &answer, now)?;
            Ok(answer)
        })
        .await?;
    super::changed(app, user);
    Ok(answer)
}
