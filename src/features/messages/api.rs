//! `/messages/…`.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::model::{MessageError, MessageKind};
use super::service::{self, Offer};
use crate::app::App;
use crate::features::auth::UserAuth;
use crate::http::{ApiError, JsonBody, Tag};

/// What the caller may be told.
pub struct MessagesApi {
    pub app: Arc<App>,
}

/// What a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "SCREAMING_SNAKE_CASE")]
enum MessageTopic {
    /// The pictures of a job are ready.
    ImageReady,
    /// The membership ends soon.
    MembershipEnds,
}

/// A message that the user may agree to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct MessageOffer {
    kind: MessageTopic,
    /// For `tmplIds` of `wx.requestSubscribeMessage`.
    template_id: String,
    /// How many more of them the user has agreed to.
    consents: i64,
}

/// The messages there are.
#[derive(Debug, Object)]
struct MessageOffers {
    messages: Vec<MessageOffer>,
}

/// What the user agreed to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ConsentRequest {
    /// The templates that `wx.requestSubscribeMessage` answered with `accept`.
    #[oai(validator(min_items = 1, max_items = 3, unique_items))]
    template_ids: Vec<String>,
}

#[OpenApi(prefix_path = "/messages", tag = "Tag::Messages")]
impl MessagesApi {
    /// Messages that I may get
    ///
    /// What to ask for with `wx.requestSubscribeMessage`, and how many of each I have agreed to. Only
    /// messages that are switched on.
    #[oai(path = "/", method = "get", operation_id = "listMessages")]
    async fn list(&self, user: UserAuth) -> Result<Json<MessageOffers>, ApiError> {
        Ok(Json(service::offers(&self.app, user.id())?.into()))
    }

    /// Agree to messages
    ///
    /// To be called after each `wx.requestSubscribeMessage` with the templates that were accepted. One
    /// call is one message of each template, as one tap is for WeChat; up to 100 are counted.
    /// Errors: `INVALID_REQUEST` (a template that is not in the list).
    #[oai(path = "/consent", method = "post", operation_id = "consentToMessages")]
    async fn consent(
        &self,
        user: UserAuth,
        body: JsonBody<ConsentRequest>,
    ) -> Result<Json<MessageOffers>, ApiError> {
        service::consent(&self.app, user.id(), &body.0.template_ids).await?;
        Ok(Json(service::offers(&self.app, user.id())?.into()))
    }
}

impl From<Vec<Offer>> for MessageOffers {
    fn from(offers: Vec<Offer>) -> Self {
        let offer = |offer: Offer| MessageOffer {
            kind: match offer.kind {
                MessageKind::ImageReady => MessageTopic::ImageReady,
                MessageKind::MembershipEnds => MessageTopic::MembershipEnds,
            },
            template_id: offer.template_id,
            consents: offer.left,
        };
        Self { messages: offers.into_iter().map(offer).collect() }
    }
}

impl From<MessageError> for ApiError {
    fn from(err: MessageError) -> Self {
        match err {
            MessageError::UnknownTemplate => Self::invalid_field("templateIds").caused_by(err),
            MessageError::Db(err) => err.into(),
        }
    }
}
