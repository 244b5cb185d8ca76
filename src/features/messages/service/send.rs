//! Sending what waits. A message is marked before it is sent: one that is lost hurts less than one that
//! comes twice.

use crate::app::App;
use crate::clients::wechat::{MiniProgramState, SubscribeMessage, SubscribeOutcome, WechatError};
use crate::db::{DbError, Tx};
use crate::features::messages::model::{
    ATTEMPTS_MAX, MessageError, Waiting, filled, is_worth_repeating,
};
use crate::features::messages::store;
use crate::features::settings::{self, MessageField, MessageState, Messages};
use crate::features::users;

/// Messages sent in one round, one after the other; the next round begins seconds later.
const BATCH: i64 = 50;

/// Before the second attempt, in seconds; four times as long before each one after that.
const FIRST_PAUSE_S: i64 = 10;

/// What became of messages is kept for so long.
const KEPT_S: i64 = 7 * 24 * 3600;

/// Messages forgotten in one transaction.
const SWEEP_BATCH: i64 = 500;

/// What became of an attempt.
enum Outcome {
    Sent,
    NoConsent,
    Later,
    Dropped(String),
}

/// Takes over the reminders of memberships, then sends what is due.
///
/// # Errors
/// What the database fails with; the rest follows at the next call.
pub async fn send_due(app: &App) -> Result<(), MessageError> {
    super::note_reminders(app).await?;
    let now = app.clock.now();
    let due = app.db.read_inline("messages.due", |tx| store::due(tx, now, BATCH))?;
    for message in due {
        send(app, message).await?;
    }
    Ok(())
}

async fn send(app: &App, waiting: Waiting) -> Result<(), MessageError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let (id, user, kind) = (waiting.id, waiting.user, waiting.kind);
    let template = kind.template(&settings.messages).cloned();
    let keep_until = waiting.created_at.plus_seconds(i64::from(settings.messages.keep_s));
    let begun = app
        .db
        .write("messages.begin", move |tx| {
            let drop = |why: &str| store::end(tx, id, "DROPPED", why).map(|()| None);
            let Some(template) = template else { return drop("off") };
            if now > keep_until {
                return drop("too late");
            }
            let Some(user) = users::service::find(tx, user)? else { return drop("no user") };
            Ok::<_, DbError>(store::begin(tx, id)?.then_some((template, user.openid)))
        })
        .await?;
    let Some((template, openid)) = begun else { return Ok(()) };
    let details = &waiting.details;
    let page = filled(&template.page, details);
    let field = |field: &MessageField| (field.name.clone(), filled(&field.value, details));
    let message = SubscribeMessage {
        openid,
        template_id: template.template_id,
        page: Some(page).filter(|page| !page.is_empty()),
        fields: template.fields.iter().map(field).collect(),
        state: state(&settings.messages),
    };
    let outcome = outcome(app.weixin.send_subscribe_message(&message).await, &waiting);
    app.db
        .write("messages.end", move |tx| {
            match outcome {
                Outcome::Sent => store::end(tx, id, "SENT", "sent"),
                Outcome::NoConsent => {
                    // WeChat knows better than we what he agreed to.
                    store::drop_consents(tx, user, kind, now)?;
                    store::end(tx, id, "DROPPED", "no consent")
                }
                Outcome::Later => {
                    let pause =
                        FIRST_PAUSE_S.saturating_mul(4_i64.saturating_pow(waiting.attempts));
                    store::wait_again(tx, id, now.plus_seconds(pause))
                }
                Outcome::Dropped(why) => store::end(tx, id, "DROPPED", &why),
            }
        })
        .await?;
    Ok(())
}

fn outcome(answer: Result<SubscribeOutcome, WechatError>, waiting: &Waiting) -> Outcome {
    match answer {
        Ok(SubscribeOutcome::Sent) => Outcome::Sent,
        Ok(SubscribeOutcome::NoConsent) => Outcome::NoConsent,
        Err(err) if is_worth_repeating(&err) && waiting.attempts + 1 < ATTEMPTS_MAX => {
            Outcome::Later
        }
        Err(err) => {
            tracing::warn!(error = %err, kind = waiting.kind.as_str(), "a message is not sent");
            Outcome::Dropped(err.code().map_or_else(|| "lost".to_owned(), |code| code.to_string()))
        }
    }
}

const fn state(settings: &Messages) -> MiniProgramState {
    match settings.state {
        MessageState::Developer => MiniProgramState::Developer,
        MessageState::Trial => MiniProgramState::Trial,
        MessageState::Formal => MiniProgramState::Formal,
    }
}

/// Forgets what became of old messages.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<(), MessageError> {
    let before = app.clock.now().plus_seconds(-KEPT_S);
    loop {
        let sweep = move |tx: &Tx<'_>| store::sweep(tx, before, SWEEP_BATCH);
        if app.db.write("messages.sweep", sweep).await? == 0 {
            return Ok(());
        }
    }
}
