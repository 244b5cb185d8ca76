//! Noting what is to be told.

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::messages::model::{MessageError, MessageKind, wechat_time};
use crate::features::messages::store;
use crate::features::settings::{self, Messages};
use crate::features::users::VipLevel;
use crate::features::vip;

/// Reminders noted in one transaction.
const REMINDERS: i64 = 100;

/// Notes a message to a user within the transaction of what it tells of, if he agreed to one. `details`
/// gives what the template is filled with; `{time}` is there by itself. `reference` names what it is
/// about: it is told once. A failure is logged and changes nothing else.
pub fn note(
    tx: &Tx<'_>,
    settings: &Messages,
    (user, kind, reference): (UserId, MessageKind, &str),
    details: impl FnOnce() -> Result<Map<String, Value>, DbError>,
    now: UnixMillis,
) {
    if kind.template(settings).is_none() {
        return;
    }
    if let Err(err) = noted(tx, settings, (user, kind, reference), details, now) {
        tracing::warn!(error = %err, kind = kind.as_str(), "a message to a user is not noted");
    }
}

fn noted(
    tx: &Tx<'_>,
    settings: &Messages,
    (user, kind, reference): (UserId, MessageKind, &str),
    details: impl FnOnce() -> Result<Map<String, Value>, DbError>,
    now: UnixMillis,
) -> Result<(), DbError> {
    if store::exists(tx, kind, reference)? || !store::use_consent(tx, user, kind, now)? {
        return Ok(());
    }
    let most = i64::from(settings.queue_max);
    if store::count_waiting(tx, most)? >= most {
        tracing::warn!(kind = kind.as_str(), "too many messages wait: one is dropped");
        return Ok(());
    }
    let mut details = details()?;
    details.entry("time").or_insert_with(|| wechat_time(now).into());
    store::insert(tx, user, kind, reference, &details, now)?;
    Ok(())
}

/// Takes over whom vip wants to be reminded of the end of his membership. While that message is off,
/// nobody is: the reminders of vip stay what they are.
///
/// # Errors
/// What the database fails with.
pub async fn note_reminders(app: &App) -> Result<(), MessageError> {
    let settings = settings::service::current(app);
    if MessageKind::MembershipEnds.template(&settings.messages).is_none() {
        return Ok(());
    }
    let now = app.clock.now();
    // Looked at first, since this is asked every few seconds and there is hardly ever anything.
    let unsent = app.db.read_inline("messages.reminders", |tx| {
        vip::service::reminders::unsent(tx, now, REMINDERS)
    })?;
    if unsent.is_empty() {
        return Ok(());
    }
    app.db
        .write("messages.note_reminders", move |tx| {
            for reminder in unsent {
                // Also of a user who agreed to nothing: telling him is no use.
                if !vip::service::reminders::mark_sent(tx, reminder.id, now)? {
                    continue;
                }
                let reference = format!("{}:{}", reminder.user, reminder.expires_at.0);
                let what = (reminder.user, MessageKind::MembershipEnds, &*reference);
                let details = || Ok(ending(reminder.level, reminder.expires_at));
                note(tx, &settings.messages, what, details, now);
            }
            Ok::<_, MessageError>(())
        })
        .await
}

fn ending(level: VipLevel, expires_at: UnixMillis) -> Map<String, Value> {
    let level = match level {
        VipLevel::Svip => "SVIP",
        VipLevel::Vip | VipLevel::Normal => "VIP",
    };
    let details = json!({ "level": level, "time": wechat_time(expires_at) });
    details.as_object().cloned().unwrap_or_default()
}
