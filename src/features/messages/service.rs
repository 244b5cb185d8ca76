//! Consents, noting messages, sending them.

mod note;
mod send;

pub use note::{note, note_reminders};
pub use send::{send_due, sweep};

use super::model::{CONSENTS_MAX, Consents, MessageError, MessageKind};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::db::{DbError, Tx};
use crate::features::settings;

/// A message that may be asked for, by its template, and how often the user agreed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) kind: MessageKind,
    pub(super) template_id: String,
    pub(super) left: i64,
}

/// The messages that are on, with the user's consents.
///
/// # Errors
/// What the database fails with.
pub(super) fn offers(app: &App, user: UserId) -> Result<Vec<Offer>, MessageError> {
    let consents = app.db.read_inline("messages.consents", |tx| store::consents(tx, user))?;
    let settings = settings::service::current(app);
    let offer = |kind: MessageKind| {
        let template = kind.template(&settings.messages)?;
        let found = consents.iter().find(|consents: &&Consents| consents.kind == kind);
        let left = found.map_or(0, |consents| consents.left);
        Some(Offer { kind, template_id: template.template_id.clone(), left })
    };
    Ok(MessageKind::ALL.into_iter().filter_map(offer).collect())
}

/// Notes that the user agreed to one more message of each of these templates.
///
/// # Errors
/// `UnknownTemplate`, nothing is noted then; what the database fails with.
pub(super) async fn consent(
    app: &App,
    user: UserId,
    template_ids: &[String],
) -> Result<(), MessageError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let kind_of = |id: &String| {
        let is_it = |kind: &MessageKind| {
            kind.template(&settings.messages).is_some_and(|template| template.template_id == *id)
        };
        MessageKind::ALL.into_iter().find(is_it).ok_or(MessageError::UnknownTemplate)
    };
    let kinds: Vec<MessageKind> = template_ids.iter().map(kind_of).collect::<Result<_, _>>()?;
    app.db
        .write("messages.consent", move |tx| {
            for kind in kinds {
                store::add_consent(tx, user, kind, CONSENTS_MAX, now)?;
            }
            Ok::<_, MessageError>(())
        })
        .await
}

/// Removes everything about a user whose account is deleted.
///
/// # Errors
/// What the database fails with.
pub fn forget_user(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    store::forget(tx, user)
}
