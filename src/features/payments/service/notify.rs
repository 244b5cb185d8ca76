//! A notification of WeChat Pay: judged, stored, settled, answered.

use std::sync::Arc;

use hyper::HeaderMap;

use super::events;
use crate::app::App;
use crate::clients::wechat_pay::{Notification, NotificationError, Resource};
use crate::features::orders::{self, Mismatch, Paid, Settled};
use crate::features::payments::model::{
    EventId, EventOutcome, NewEvent, Notified, PaymentError, Source, kept_headers,
};
use crate::features::settings;

/// Takes a notification with its headers and the bytes of its body as they came. Goes on to its end even
/// when WeChat has hung up.
///
/// # Errors
/// `Refused`, `NotConfigured`: it is not from WeChat, so far as we can tell, and nothing has changed.
/// `NotNow` and what the database fails with: WeChat must repeat it.
pub(in crate::features::payments) async fn notified(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Notified, PaymentError> {
    let (notification, event) = judged(app, Source::Notify, headers, body).await?;
    let task = {
        let app = Arc::clone(app);
        tokio::spawn(async move { accept(&app, notification, event).await })
    };
    let done = task.await.map_err(|_| PaymentError::CutShort)?;
    count(app, &done);
    done
}

/// Counts what became of a notification that is from WeChat.
pub fn count(app: &App, done: &Result<Notified, PaymentError>) {
    app.events.notifications.add(match done {
        Ok(Notified::Taken) => "taken",
        Ok(Notified::Flagged) => "flagged",
        Err(_) => "failed",
    });
}

/// Judges a notification, at whichever address it came, and gives it with the event to be stored before
/// anything is made of it. What is refused is kept, as far as there is room.
///
/// # Errors
/// `Refused`, `NotConfigured`, `NotNow`.
pub async fn judged(
    app: &App,
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Notification, NewEvent), PaymentError> {
    let kept = kept_headers(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let Some(pay) = &app.wechat_pay else { return Err(PaymentError::NotConfigured) };
    match pay.open_notification(headers, body).await {
        Ok(notification) => {
            let event = event_of(&notification, source, kept, body);
            Ok((notification, event))
        }
        Err(err @ NotificationError::KeysUnavailable(_)) => {
            app.events.notifications.add("failed");
            Err(PaymentError::NotNow(err))
        }
        Err(err) => {
            app.events.notifications.add("refused");
            let event = NewEvent::refused(source, kept, body);
            // Not being able to keep it changes nothing of the answer.
            if let Err(failed) = events::refuse(app, event, err.to_string()).await {
                tracing::warn!(error = %failed, "a refused notification cannot be kept");
            }
            Err(PaymentError::Refused(err))
        }
    }
}

async fn accept(
    app: &Arc<App>,
    notification: Notification,
    event: NewEvent,
) -> Result<Notified, PaymentError> {
    let id = events::receive(app, event).await?;
    let told = match &notification.resource {
        Resource::Transaction(told) => match &app.wechat_pay {
            Some(pay) => Paid::of_transaction(told, pay.appid(), pay.mchid(), "notify"),
            None => Err(Mismatch::Foreign),
        },
        Resource::Refund(_) => {
            let why = "a refund is told at the address of payments".to_owned();
            return finish(app, id, EventOutcome::Flagged(why)).await;
        }
        Resource::Other(kind) => {
            let why =
                format!("nothing is known of `{}`", kind.chars().take(64).collect::<String>());
            return finish(app, id, EventOutcome::Flagged(why)).await;
        }
    };
    match told {
        Ok(Some(paid)) => settle(app, id, paid).await,
        // A payment that has not been made changes nothing.
        Ok(None) => finish(app, id, EventOutcome::Repeated).await,
        Err(why) => {
            tracing::error!(problem = %why, "a genuine notification is not for us as it is");
            finish(app, id, EventOutcome::Flagged(why.to_string())).await
        }
    }
}

/// The payment and what becomes of its event, in one transaction.
async fn settle(app: &Arc<App>, id: EventId, paid: Paid) -> Result<Notified, PaymentError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let order = paid.order.clone();
    let done = app
        .db
        .write("payments.settle", move |tx| {
            let done = orders::service::settle(tx, &settings, &paid, now)?;
            let outcome = match &done {
                Settled::Now(_) => EventOutcome::Done,
                Settled::Already => EventOutcome::Repeated,
                Settled::Mismatch(why) => EventOutcome::Flagged(why.to_string()),
            };
            events::finish(tx, id, &outcome, now)?;
            Ok::<_, PaymentError>(done)
        })
        .await?;
    orders::service::settled(app, &order, &done);
    Ok(match done {
        Settled::Now(_) | Settled::Already => Notified::Taken,
        Settled::Mismatch(_) => Notified::Flagged,
    })
}

async fn finish(app: &App, id: EventId, outcome: EventOutcome) -> Result<Notified, PaymentError> {
    let now = app.clock.now();
    let answer = match &outcome {
        EventOutcome::Done | EventOutcome::Repeated => Notified::Taken,
        EventOutcome::Flagged(_) => Notified::Flagged,
    };
    app.db
        .write("payments.finish", move |tx| {
            Ok::<_, PaymentError>(events::finish(tx, id, &outcome, now)?)
        })
        .await?;
    Ok(answer)
}

fn event_of(
    notification: &Notification,
    source: Source,
    headers: serde_json::Value,
    body: &[u8],
) -> NewEvent {
    let reference = match &notification.resource {
        Resource::Transaction(told) => Some(told.out_trade_no.clone()),
        Resource::Refund(told) => Some(told.refund.out_refund_no.clone()),
        Resource::Other(_) => None,
    };
    NewEvent {
        source,
        headers,
        body: body.to_vec(),
        event_id: Some(notification.id.clone()),
        event_type: Some(notification.event_type.clone()),
        reference,
        content: Some(notification.plaintext.clone()),
    }
}
