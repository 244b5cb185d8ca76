//! Who is to be reminded that his membership ends.
//!
//! [`note_due`] finds each ending membership once and notes it; who tells users takes the notes with
//! [`unsent`] and marks them with [`mark_sent`]. A renewal moves the end: the old note is void then,
//! and the new end gets one of its own.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::settings;
use crate::features::vip::model::{Expiring, Reminder, ReminderId, VipError};
use crate::features::vip::store;

/// Users in one read, and reminders in one transaction.
const BATCH: i64 = 500;

/// Reminders are kept for so long after the end they are about.
const KEPT_S: i64 = 30 * 24 * 3600;

const DAY_S: i64 = 24 * 3600;

/// Notes all memberships that end within the days of the setting, and forgets old notes.
///
/// # Errors
/// What the database fails with.
pub async fn note_due(app: &App) -> Result<(), VipError> {
    let now = app.clock.now();
    let days = settings::service::current(app).membership.reminder_days;
    if days > 0 {
        let until = now.plus_seconds(i64::from(days).saturating_mul(DAY_S));
        note_until(app, until, now).await?;
    }
    let before = now.plus_seconds(KEPT_S.saturating_neg());
    loop {
        let sweep = move |tx: &Tx<'_>| store::reminders::sweep(tx, before, BATCH);
        if app.db.write("vip.sweep_reminders", sweep).await? == 0 {
            return Ok(());
        }
    }
}

async fn note_until(app: &App, until: UnixMillis, now: UnixMillis) -> Result<(), VipError> {
    // What ends at this very moment has ended.
    let mut after = Expiring { expires_at: now, user: UserId(i64::MAX) };
    loop {
        let found = app
            .db
            .read("vip.expiring", move |tx| store::reminders::expiring(tx, after, until, BATCH))
            .await?;
        let Some(last) = found.last().copied() else { return Ok(()) };
        after = last;
        app.db
            .write("vip.note_expiring", move |tx| {
                found.iter().try_for_each(|expiring| store::reminders::add(tx, *expiring, now))
            })
            .await?;
    }
}

/// Those to be reminded whom nobody has reminded yet, the nearest end first: members of today whose
/// membership still ends when it was noted.
///
/// # Errors
/// What the database fails with.
pub fn unsent(tx: &Tx<'_>, now: UnixMillis, limit: i64) -> Result<Vec<Reminder>, DbError> {
    store::reminders::unsent(tx, now, limit)
}

/// Notes that a user was told, or that telling him is no use; `false` when that was noted before.
/// Whoever sends marks first: a reminder that is lost hurts less than one that comes twice.
///
/// # Errors
/// What the database fails with.
pub fn mark_sent(tx: &Tx<'_>, id: ReminderId, now: UnixMillis) -> Result<bool, DbError> {
    store::reminders::mark_sent(tx, id, now)
}
